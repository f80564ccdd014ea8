"""What follows from the seed of a training: the seed of the initial weights, and the batches."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from germline.evaluators.task import Rung

DRAWN_AT_ONCE = 1_000
"""Steps whose batches are drawn and transferred to the device together."""


def weight_seed(seed: Sequence[int]) -> int:
    """Returns the seed of torch's generator for the initial weights; `seed` is the entropy of the training."""
    return int(np.random.SeedSequence(list(seed)).generate_state(1)[0])


def batches(size: int, rung: Rung, seed: Sequence[int], device: str) -> Iterator[Tensor]:
    """Yields the indices of each step's examples, int64 of shape `[batch]`, drawn with replacement; the same on every
    device.

    Args:
        size: number of training examples.
        rung: number of steps and batch size.
        seed: entropy of the training.
        device: device of the indices.
    """
    for drawn in batch_tables(size, rung, seed):
        yield from torch.as_tensor(drawn, device=device)


def batch_tables(size: int, rung: Rung, seed: Sequence[int]) -> Iterator[np.ndarray]:
    """Yields what `batches` does as int64 arrays `[steps, batch]` on the host, each for the next `DRAWN_AT_ONCE` steps
    or for those that are left."""
    rng = np.random.default_rng([*seed, 1])
    for first in range(0, rung.steps, DRAWN_AT_ONCE):
        yield rng.integers(0, size, (min(DRAWN_AT_ONCE, rung.steps - first), rung.batch))
