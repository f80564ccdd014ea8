"""The programs of the library whose updates are most like those of a program."""

from functools import cache

import torch
from torch import Tensor

from germline.programs.optimizer.library import library
from germline.programs.optimizer.program import Program
from germline.programs.optimizer.simplify.trajectory import LAYOUT, SCENARIOS, run
from germline.programs.optimizer.text import parse

COMPARED_STEPS = 30
COMPARED_SCENARIOS = ("normal", "heavy tails", "sparse", "changing scale")


def nearest(program: Program, count: int = 3) -> list[tuple[str, float]]:
    """Names of library programs with the mean cosine of their updates and the program's, the largest first.

    The cosine ignores the learning rate. It is taken over all parameters, for each step and scenario, and counts as 0
    where an update is zero or not finite.
    """
    own = _directions(program)
    cosines = [(name, float((own * other).sum(-1).mean())) for name, other in _library_directions().items()]
    return sorted(cosines, key=lambda pair: (-round(pair[1], 6), pair[0]))[:count]


@cache
def _library_directions() -> dict[str, Tensor]:
    return {name: _directions(parse(text)) for name, text in library().items()}


def _directions(program: Program) -> Tensor:
    """The updates `[steps, scenarios, elements]`, each of length one."""
    rows = [list(SCENARIOS).index(name) for name in COMPARED_SCENARIOS]
    updates = run(program, COMPARED_STEPS, samples=0).updates[:, rows, : LAYOUT.elements]
    largest = updates.abs().amax(-1, keepdim=True)
    updates = updates / largest
    directions: Tensor = updates / torch.linalg.vector_norm(updates, dim=-1, keepdim=True)
    return directions.nan_to_num(0.0, 0.0, 0.0)
