"""Which episodes a policy plays: seeds that follow from the run, never from a clock or a neighbour."""

from hashlib import sha256

import numpy as np


def episode_seeds(run: int, rung: int, seed: int, count: int, genome: str | None = None) -> list[int]:
    """Seeds below 2^31, one an episode.

    Args:
        run: the run's seed.
        rung, seed: of the evaluation.
        count: how many.
        genome: of whom alone these episodes are; None: of all, so that they are compared on the same ones.
    """
    own = () if genome is None else tuple(np.frombuffer(sha256(genome.encode()).digest(), np.uint32).tolist())
    sequence = np.random.SeedSequence((run, rung, seed), spawn_key=own)
    return [int(word >> 1) for word in sequence.generate_state(count, np.uint32)]
