"""How large the updates of a program are, and the program with updates as large as another's.

A structure is born with the learning rate that suited its parent. If its updates are ten times as large or as small, it
is judged by a rate that does not fit and is lost, whatever its directions are worth. With the size of its parent's
updates, directions alone are compared, as in the grafting of learning rates (Agarwal et al. 2020).
"""

import math
from collections.abc import Mapping
from functools import cache, partial
from typing import Any

import numpy as np

from germline.programs.optimizer.fingerprint import MAGNIFYING, float32_call
from germline.programs.optimizer.flat import FlatProgram, Layout
from germline.programs.optimizer.graph import Graph
from germline.programs.optimizer.mutate import new_name, rate_constant, scaled
from germline.programs.optimizer.program import Program, Statement

_LAYOUT = Layout(((16, 24), (16,)))
"""A matrix and a vector."""
_STEPS = 100
"""Steps of the run: about as many as a short training has, so that slow averages count as much as there."""
_WEIGHT, _GRADIENT = 0.1, 0.01
"""Standard deviation of the parameters; and that of what the gradients of all steps have in common, which is also that
of what each step's gradient has alone."""
LARGEST = 20
"""The largest change of a learning rate, in octaves."""


def update_rms(graph: Graph) -> float | None:
    """The root mean square of all elements of a program's updates, over some steps on fixed gradients.

    The program runs in float32 as for its fingerprint, so that the bits do not depend on the machine. A program with
    live functions whose bits do (`MAGNIFYING`) has no size, and a child keeps its rate.

    Args:
        graph: a traced program.

    Returns:
        None if it is zero or not finite, or not the same on every machine.
    """
    if any(graph.nodes[i].function in MAGNIFYING for i in graph.live):
        return None
    program = FlatProgram(graph, _LAYOUT, np, _LAYOUT.leaf_of, call=float32_call)
    literals = [np.full((1, 1), graph.nodes[i].literal, np.float32) for i in program.literals]
    state_nodes = {k: graph.nodes[graph.state_nodes[k]] for k in graph.live_states}
    names = {k: node.function.removeprefix("input:") for k, node in state_nodes.items()}
    states = {k: _LAYOUT.zeros(node.type, 1, partial(np.zeros, dtype=np.float32)) for k, node in state_nodes.items()}
    squares = 0.0
    with np.errstate(all="ignore"):
        for step in range(_STEPS):
            inputs = {**_inputs(step), **{names[k]: value for k, value in states.items()}}
            update, states = program.run(inputs, literals)
            squares += float(np.mean(np.square(update, dtype=np.float64)))
            if not math.isfinite(squares):
                return None
    return math.sqrt(squares / _STEPS) or None


def octaves_to(size: float | None, wanted: float | None) -> int:
    """log2 of wanted / size, rounded and at most `LARGEST` either way; 0 if a size is None."""
    if size is None or wanted is None:
        return 0
    return max(-LARGEST, min(LARGEST, round(math.log2(wanted) - math.log2(size))))


def resized(program: Program, octaves: int) -> Program:
    """The program with its learning rate multiplied by 2^octaves.

    The rate is the constant that scales the whole update (`rate_constant`). A program without such a constant gets a
    last statement that multiplies its update. If the rule uses its rate elsewhere too, its updates may grow by another
    factor.
    """
    place = rate_constant(program)
    if place is not None:
        old = program.body[place[0]].args[place[1]]
        assert isinstance(old, float)
        return program.with_numbers({place: scaled(old, octaves) or old})
    update, *states = program.returns
    name = new_name(program)
    return program.with_body((*program.body, Statement(name, "*", (update, 2.0**octaves))), (name, *states))


@cache
def _inputs(step: int) -> Mapping[str, Any]:
    """The inputs of a step: the same parameters in each, and gradients that agree with one another in part."""
    weights, common = np.random.default_rng(20231106).standard_normal((2, 1, _LAYOUT.elements))
    own = np.random.default_rng([20231106, step]).standard_normal((1, _LAYOUT.elements))
    numbers = {"lr": 1.0, "step": step + 1.0, "progress": step / _STEPS, "loss": 2.0}
    return {
        "w": (_WEIGHT * weights).astype(np.float32),
        "g": (_GRADIENT * (common + own)).astype(np.float32),
        **{name: np.full((1, 1), number, np.float32) for name, number in numbers.items()},
    }
