"""The global generators of random numbers that a module may draw from: those of Python, numpy and torch."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch


@contextmanager
def seeded(seed: int, cuda: bool = False) -> Iterator[None]:
    """Within this context the generators start from `seed`; afterwards they go on as if nothing had been drawn.

    Args:
        seed: from 0 to 2^32 - 1.
        cuda: whether the generator of the present CUDA device is among them.
    """
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002 - what users' modules draw from
    try:
        with torch.random.fork_rng(devices=[torch.cuda.current_device()] if cuda else []):
            torch.manual_seed(seed)
            random.seed(seed)
            np.random.seed(seed)  # noqa: NPY002
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002


def states(cuda: bool = False) -> list[Any]:
    """The states of the generators, to be compared by `==`: they differ once a number was drawn."""
    numpy: Any = np.random.get_state()  # noqa: NPY002
    devices = [torch.get_rng_state(), *([torch.cuda.get_rng_state()] if cuda else [])]
    return [random.getstate(), numpy[1].tobytes(), numpy[2:], *(state.numpy().tobytes() for state in devices)]
