"""How large the updates of a program are, and the program with updates as large as another's.

A structure is born with the learning rate that suited its parent. If its updates are ten times as large or as small, it
is judged by a rate that does not fit and is lost, whatever its directions are worth. With the size of its parent's
updates, directions alone are compared, as in the grafting of learning rates (Agarwal et al. 2020).
"""

import math
from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np

from germline.programs.optimizer.flat import FlatProgram, Layout
from germline.programs.optimizer.graph import Graph
from germline.programs.optimizer.mutate import new_name, rate_constant
from germline.programs.optimizer.program import Program, Statement
from germline.programs.optimizer.types import LEAF, ROW, SCALAR, TREE, Type, column_shape, row_shape

_LAYOUT = Layout(((32, 48), (32,)))
"""A matrix and a vector, of sizes that small models have."""
_STEPS, _MEASURED = 32, 8
"""Steps of the run, and the last of them, whose updates count: averages have left their zeros behind."""
_WEIGHT, _GRADIENT = 0.1, 0.01
"""Standard deviations of the parameters, and of what all gradients have in common and in which each differs."""
LARGEST = 20
"""The largest change of a learning rate, in octaves."""


def update_size(graph: Graph) -> float | None:
    """The root mean square of the elements of a program's updates, in the last of some steps on fixed gradients.

    Args:
        graph: a traced program.

    Returns:
        None if that is zero or not finite.
    """
    program = FlatProgram(graph, _LAYOUT, np, _LAYOUT.leaf_of)
    literals = [np.full((1, 1), graph.nodes[i].literal) for i in program.literals]
    states = {k: _zeros(graph.nodes[graph.state_nodes[k]].type) for k in graph.live_states}
    names = {k: graph.nodes[graph.state_nodes[k]].function.removeprefix("input:") for k in states}
    total = 0.0
    with np.errstate(all="ignore"):
        for step in range(_STEPS):
            inputs = {**_inputs(step), **{names[k]: value for k, value in states.items()}}
            update, states = program.run(inputs, literals)
            if step >= _STEPS - _MEASURED:
                total += float(np.mean(np.square(update)))
    size = math.sqrt(total / _MEASURED)
    return size if math.isfinite(size) and size > 0 else None


def octaves_to(size: float | None, wanted: float | None) -> int:
    """The whole number of octaves nearest to the step from one size to another; 0 if one of them is None."""
    if size is None or wanted is None:
        return 0
    return max(-LARGEST, min(LARGEST, round(math.log2(wanted) - math.log2(size))))


def resized(program: Program, octaves: int) -> Program:
    """The program with updates that are 2^octaves times as large.

    The constant that scales the whole update (`rate_constant`) is multiplied; without such a constant the program gets
    a last statement that multiplies its update.
    """
    factor = 2.0**octaves
    place = rate_constant(program)
    if place is not None:
        i, j = place
        old = program.body[i].args[j]
        assert isinstance(old, float)
        return program.with_numbers({place: float(f"{old * factor:.6g}")})
    update, *states = program.returns
    name = new_name(program)
    body = (*program.body, Statement(name, "*", (update, factor)))
    return Program(body, program.states, program.step, (name, *states), program.progress, program.loss)


@cache
def _inputs(step: int) -> Mapping[str, Any]:
    """The inputs of a step: the same parameters in each, and gradients that agree with one another in part."""
    rng = np.random.default_rng(20231106)
    weights, common = rng.standard_normal((2, 1, _LAYOUT.elements))
    own = np.random.default_rng([20231106, step]).standard_normal((1, _LAYOUT.elements))
    return {
        "w": _WEIGHT * weights,
        "g": _GRADIENT * (common + own),
        "lr": np.ones((1, 1)),
        "step": np.full((1, 1), step + 1.0),
        "progress": np.full((1, 1), step / _STEPS),
        "loss": np.full((1, 1), 2.0),
    }


def _zeros(state_type: Type) -> Any:
    """The value of a state before the first step, stored as in `FlatProgram`."""
    if state_type == SCALAR:
        return np.zeros((1, 1))
    if state_type == LEAF:
        return np.zeros((1, len(_LAYOUT.shapes)))
    if state_type == TREE:
        return np.zeros((1, _LAYOUT.elements))
    reduced = row_shape if state_type == ROW else column_shape
    return [np.zeros((1, *reduced(shape))) for shape in _LAYOUT.shapes]
