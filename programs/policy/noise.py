"""Normal noise from a seed: the same bits on every machine, and each element independent of the others.

The counter-based generator Philox 4x32-10 (Salmon et al. 2011) yields 16 random bits for each parameter. They index a
table of 65,536 values, each the middle of an equally likely slice of the normal distribution, scaled to variance 1. The
values are rounded to multiples of 1/4096, since logarithms differ between machines in their last bits; all else is
integer arithmetic, one product and one sum. The largest value is 4.32. `noise_generator.py` computes it.
"""

import numpy as np
from numpy.typing import NDArray

NAME = "philox-normal16/1"
"""Name and version of the generator, part of every genome. A change to any bit of the noise needs a new version."""

STEP = 4096
"""Noise values are multiples of 1 / STEP."""

INITIAL, MUTATION, MEMBER = 0, 1, 2
"""Purposes of noise: initial parameters, mutations and members of generations get different noise of the same seed."""

SEEDS = 2**32
"""Number of seeds: a seed is from 0 to SEEDS - 1."""

Floats = NDArray[np.float32]
Integers = NDArray[np.int64]
