"""Operators that put a function around a live value, or take it away: `wrap` and `unwrap`.

A statement that `insert` adds is mostly dead: another change has to use its result before it does anything. These two
change what a live statement or the return line uses, so that the live part of every child differs from its parent's.
In genetic programming they are known as insertion and shrinking of a node.
"""

from collections.abc import Sequence

import numpy as np

from germline.programs.optimizer.fragment import (
    Fragment,
    Hole,
    Limits,
    Operand,
    Operation,
    Place,
    Value,
    live_places,
    recipients,
    splice,
    visible_nodes,
)
from germline.programs.optimizer.graph import Graph
from germline.programs.optimizer.mutate import P_CONSTANT, new_constant
from germline.programs.optimizer.primitives import PRIMITIVES
from germline.programs.optimizer.program import Program
from germline.programs.optimizer.types import SCALAR, TypeMismatch

MAX_WRAPS = 100
"""Tries to find a function and a place that fit, before dead statements are removed to make room, and after that."""


def wrap(
    program: Program, graph: Graph, functions: Sequence[str], limits: Limits, rng: np.random.Generator
) -> Program | None:
    """Puts a random function of a live value in the place of the value, at one use; None if none fits.

    The value is an argument at a random position; the others are variables that have a value there or, with the same
    probability as in `insert`, new constants. The function returns a value of the same type.

    Args:
        program, graph: a valid program and its graph.
        functions: names of the functions to draw from.
        limits: of the program's size. Where it has no room left, its dead statements and states are removed first.
        rng: the generator.
    """
    names = [name for name in functions if PRIMITIVES[name].arity]
    no_state = Limits(limits.statements, len(program.states) + 1)  # a function needs room for a statement alone
    for recipient, own_graph in recipients(program, graph, no_state) if names else ():
        places = live_places(recipient, own_graph)
        for _ in range(MAX_WRAPS):
            place = places[int(rng.random() * len(places))]
            function = names[int(rng.random() * len(names))]
            child = _wrapped(recipient, own_graph, place, function, limits, rng)
            if child is not None:
                return child
    return None


def _wrapped(
    program: Program, graph: Graph, place: Place, function: str, limits: Limits, rng: np.random.Generator
) -> Program | None:
    """The program with a function around the value at a place; None if the types do not fit, or there is no room."""
    arity = PRIMITIVES[function].arity
    position = int(rng.random() * arity)
    visible = list(dict.fromkeys(visible_nodes(program, graph, place.statement).values()))
    operands: list[Operand] = []
    bindings: dict[str, int] = {}
    types = []
    for i in range(arity):
        if i != position and rng.random() < P_CONSTANT:
            operands.append(new_constant(rng))
            types.append(SCALAR)
            continue
        node = place.node if i == position else visible[int(rng.random() * len(visible))]
        operands.append(Hole(f"value {node}"))
        bindings[f"value {node}"] = node
        types.append(graph.nodes[node].type)
    try:
        result = PRIMITIVES[function].rule(tuple(types))
    except TypeMismatch:
        return None
    if result != graph.nodes[place.node].type:
        return None
    fragment = Fragment((Operation(function, tuple(operands)),), Value(0))
    return splice(program, graph, place, fragment, bindings, limits)


def unwrap(program: Program, graph: Graph, limits: Limits, rng: np.random.Generator) -> Program | None:
    """Puts an argument of a live function in the place of its result, at one use.

    None if no argument has the type of the result, or a number would be returned, or there is no room.

    Args:
        program, graph: a valid program and its graph.
        limits: of the program's size.
        rng: the generator.
    """
    options = [
        (place, argument)
        for place in live_places(program, graph)
        for argument in dict.fromkeys(graph.nodes[place.node].args)
        if graph.nodes[argument].type == graph.nodes[place.node].type
    ]
    for k in rng.permutation(len(options)):
        place, argument = options[k]
        child = splice(program, graph, place, Fragment((), Hole("argument")), {"argument": argument}, limits)
        if child is not None:
            return child
    return None
