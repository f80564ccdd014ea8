"""A stream of mutants of the library's optimizer programs."""

from collections.abc import Iterator

import numpy as np

from germline.programs.optimizer import Program, library, parse
from germline.programs.optimizer.space import OptimizerSpace


def mutants(seed: int, functions: str = "core", length: int = 24) -> Iterator[Program]:
    """An endless stream of valid programs: random walks of mutations from each program of the library in turn.

    Args:
        seed: of the mutations.
        functions: `core` or `extended`.
        length: mutations in a row from the same program of the library.
    """
    rng = np.random.default_rng(seed)
    starts = [parse(text) for text in library().values()]
    space = OptimizerSpace(starts[0], functions, max_statements=80)
    operators = sorted(space.operators)
    while True:
        for program in starts:
            for _ in range(length):
                program = space.vary(program, operators[int(rng.integers(len(operators)))], rng).genome
                yield program
