"""Seeds of the episodes that policies play; they follow from the run, the evaluation and, unless shared, the genome."""

from collections.abc import Sequence
from hashlib import sha256

import numpy as np

from germline.programs.seed_sequences import entropy, seed_words


def episode_seeds(run_seed: int, rung: int, seed: int, count: int, genomes: Sequence[str] | None = None) -> list[int]:
    """Seeds of episodes, from 0 to 2^31 - 1: `count` that all genomes share, or `count` of each genome in turn.

    Args:
        run_seed: seed of the run.
        rung: rung of the evaluation.
        seed: seed of the evaluation.
        count: number of episodes of a genome.
        genomes: texts of the genomes whose own episodes these are; None for episodes that all genomes share.
    """
    of_evaluation = entropy([run_seed, rung, seed])
    if genomes is None:
        rows = np.array([of_evaluation], np.uint32)
    else:
        own = np.array([np.frombuffer(sha256(text.encode()).digest(), np.uint32) for text in genomes])
        rows = np.hstack([np.tile(np.array(of_evaluation, np.uint32), (len(own), 1)), own])
    return (seed_words(rows, count) >> 1).reshape(-1).tolist()
