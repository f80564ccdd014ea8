"""Fixtures of the tests of the language: a stream of mutants of the library."""

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
    """Factor of the number of random cases.

    `GERMLINE_SCALE=85 pytest tests/programs/optimizer -k "mutant or equal_fingerprints" --timeout 0 -s` breeds 850,000
    mutants and compares 100,000 pairs with equal fingerprints.
    """
    return int(os.environ.get("GERMLINE_SCALE", "1"))


@pytest.fixture(scope="session")
def mutants() -> Stream:
    """An endless stream of valid programs: random walks of mutations from each program of the library in turn."""

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
