"""Seeds of the episodes that a policy plays; they follow from the run, the evaluation and, unless shared, the
genome."""

from hashlib import sha256

import numpy as np


def episode_seeds(run_seed: int, rung: int, seed: int, count: int, genome: str | None = None) -> list[int]:
    """Seeds of episodes, from 0 to 2^31 - 1.

    Args:
        run_seed: seed of the run.
        rung: rung of the evaluation.
        seed: seed of the evaluation.
        count: number of episodes.
        genome: text of the genome whose own episodes these are; None for episodes that all genomes share.
    """
    own = () if genome is None else tuple(np.frombuffer(sha256(genome.encode()).digest(), np.uint32).tolist())
    sequence = np.random.SeedSequence((run_seed, rung, seed), spawn_key=own)
    return [int(word >> 1) for word in sequence.generate_state(count, np.uint32)]
