"""The random numbers of an episode, as gymnasium draws them."""

import numpy as np


def generator(seed: int) -> np.random.Generator:
    """What `gymnasium.utils.seeding.np_random(seed)` gives."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed)))
