"""A stream of mutants of the library's optimizer programs."""

from collections.abc import Iterator

import numpy as np

from germline.programs.optimizer import Program, library, parse
from germline.programs.optimizer.space import OptimizerSpace

OPERATORS = ("delete", "insert", "modify", "rate", "tune")
"""Operators that leave the states of a program as they are; other operators would make another stream."""


def mutants(seed: int, functions: str = "core", length: int = 24) -> Iterator[Program]:
    """An endless stream of valid programs: random walks of mutations from each program of the library in turn.

    Args:
        seed: of the mutations.
        functions: `core`, `extended` or `whitening`.
        length: mutations in a row from the same program of the library.
    """
    rng = np.random.default_rng(seed)
    starts = [parse(text) for text in library().values()]
    space = OptimizerSpace(starts[0], functions, max_statements=80)
    while True:
        for program in starts:
            for _ in range(length):
                program = space.vary(program, OPERATORS[int(rng.integers(len(OPERATORS)))], rng).genome
                yield program
