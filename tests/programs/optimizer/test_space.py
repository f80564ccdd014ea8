"""The space of optimizer programs: children depend on the texts of their parents alone."""

import numpy as np
import pytest

from germline.programs.optimizer import Program, library, parse, write
from germline.programs.optimizer.space import OptimizerSpace

START = parse(library()["adamw_plain"])
PAIRS = ("graft", "cross")


def fresh_space() -> OptimizerSpace:
    return OptimizerSpace(START, "extended", max_statements=40, keep_size=True)


def child(space: OptimizerSpace, operator: str, parent: Program, donor: Program, seed: int) -> Program:
    rng = np.random.default_rng(seed)
    if operator in PAIRS:
        return space.combine(parent, donor, operator, rng).genome
    return space.vary(parent, operator, rng).genome


@pytest.mark.slow
def test_a_child_is_the_same_whether_its_parents_were_bred_or_read() -> None:
    """A search that goes on has graphs of its programs that grew with them; a search that is resumed reads texts."""
    space = fresh_space()
    operators = [*space.operators, *PAIRS]
    population = [START]
    rng = np.random.default_rng(7)
    for seed in range(6 * len(operators)):
        operator = operators[seed % len(operators)]
        parent, donor = (population[int(rng.random() * len(population))] for _ in range(2))
        bred = child(space, operator, parent, donor, seed)
        read = child(fresh_space(), operator, parse(write(parent)), parse(write(donor)), seed)
        assert write(bred) == write(read), (seed, operator)
        population = [*population, bred][-20:]
