"""What the tests of the language share: a stream of mutants of the library."""

import os
from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch

from germline.programs.optimizer import Program, library, parse
from germline.programs.optimizer.space import OptimizerSpace

Stream = Callable[..., Iterator[Program]]

torch.set_num_threads(1)


@pytest.fixture(scope="session")
def scale() -> int:
    """How many times the usual number of random cases to run.

    `GERMLINE_SCALE=85 pytest tests/programs/optimizer -k "mutant or one_fingerprint" --timeout 0 -s` breeds 850,000
    mutants and compares 100,000 pairs of one fingerprint.
    """
    return int(os.environ.get("GERMLINE_SCALE", "1"))


@pytest.fixture(scope="session")
def mutants() -> Stream:
    """Valid programs without end: walks of random mutations from every program of the library in turn."""

    def stream(seed: int, functions: str = "core", length: int = 24) -> Iterator[Program]:
        rng = np.random.default_rng(seed)
        starts = [parse(text) for text in library().values()]
        space = OptimizerSpace(starts[0], functions, max_statements=80)
        operators = sorted(space.operators)
        while True:
            for program in starts:
                for _ in range(length):
                    program = space.vary(program, operators[int(rng.integers(len(operators)))], rng).genome
                    yield program

    return stream
