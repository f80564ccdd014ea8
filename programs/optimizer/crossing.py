"""Operators of two programs: `graft` and `cross`.

Both put values of a second program, the *donor*, into the first, with the states that they depend on and the updates of
these states. What the first program computes already is not computed again. Both return None if the first program has
no room; a child may be invalid, and the caller checks and retries.
"""

from collections.abc import Mapping

import numpy as np

from germline.programs.optimizer.equal_values import CommonValues, Key, common_values, dependants
from germline.programs.optimizer.fragment import (
    Fragment,
    Hole,
    Limits,
    OldState,
    Operand,
    Operation,
    Place,
    Value,
    live_places,
    recipients,
    scaled_updates,
    splice,
    visible_nodes,
)
from germline.programs.optimizer.graph import Graph
from germline.programs.optimizer.program import Program

MAX_GRAFTS = 10
"""Tries to find a value of the donor and a place for it, before dead statements are removed to make room, and after."""

CROSSINGS = ("mix", "mask", "chain")
"""The ways of `cross`."""


def graft(
    program: Program, graph: Graph, donor: Program, donor_graph: Graph, limits: Limits, rng: np.random.Generator
) -> Program | None:
    """Puts a random live value of the donor in the place of a live value of the same type, at one use.

    None if the donor has no value that fits and differs from what is there.
    """
    donated = list(dict.fromkeys(donor_graph.statements[i] for i in donor_graph.live_statements))
    donated = [node for node in donated if donor_graph.nodes[node].args]
    for recipient, own_graph in recipients(program, graph, limits):
        places = live_places(recipient, own_graph)
        types = {own_graph.nodes[place.node].type for place in places}
        fitting = [node for node in donated if donor_graph.nodes[node].type in types]
        for _ in range(MAX_GRAFTS if fitting else 0):
            node = fitting[int(rng.random() * len(fitting))]
            same_type = [p for p in places if own_graph.nodes[p.node].type == donor_graph.nodes[node].type]
            place = same_type[int(rng.random() * len(same_type))]
            child = grafted(recipient, own_graph, place, donor, donor_graph, node, limits)
            if child is not None:
                return child
    return None


def grafted(
    program: Program, graph: Graph, place: Place, donor: Program, donor_graph: Graph, node: int, limits: Limits
) -> Program | None:
    """The program that uses the donor's value `node` at a place; None if it has that value there, or no room."""
    user = [graph.statements[place.statement]] if place.statement < len(program.body) else []
    if place.statement == len(program.body) and place.argument:
        user = [graph.state_nodes[place.argument - 1]]
    common = common_values(program, graph, donor, donor_graph, dependants(graph, user))
    if common.donor_keys[node] == common.keys[place.node]:
        return None
    copy = _Copy(donor_graph, donor, common, _available(program, graph, place, common), node)
    return splice(program, graph, place, copy.fragment(copy.operands[node]), copy.bindings, limits)


def cross(
    program: Program, graph: Graph, donor: Program, donor_graph: Graph, limits: Limits, rng: np.random.Generator
) -> Program | None:
    """Combines the updates of two programs in one of three ways, see `crossed`; None if both updates are the same."""
    way = CROSSINGS[int(rng.random() * len(CROSSINGS))]
    weight = float(f"{rng.random():.6g}")
    for recipient, own_graph in recipients(program, graph, limits):
        child = crossed(recipient, own_graph, donor, donor_graph, way, weight, limits)
        if child is not None:
            return child
    return None


def crossed(
    program: Program, graph: Graph, donor: Program, donor_graph: Graph, way: str, weight: float, limits: Limits
) -> Program | None:
    """The program whose update combines the updates of two programs; None if they are the same, or there is no room.

    - `mix`: the mean of both, with this weight for the donor;
    - `mask`: the update of the first where both have the same sign, zero elsewhere;
    - `chain`: that of the donor, which takes the direction of the first's update for its gradient. The direction is the
      update before it is multiplied by scalars, so that the learning rate counts once.
    """
    place = Place(len(program.body), 0, graph.update)
    direction = scaled_updates(graph)[-1] if way == "chain" else None
    common = common_values(program, graph, donor, donor_graph, gradient=direction)
    if common.donor_keys[donor_graph.update] == common.keys[graph.update]:
        return None
    available = _available(program, graph, place, common)
    if direction is not None:
        available[common.keys[direction]] = direction
    copy = _Copy(donor_graph, donor, common, available, donor_graph.update)
    own, result = Hole("own"), copy.operands[donor_graph.update]
    if way == "mix":
        result = copy.add("interp", own, result, weight)
    elif way == "mask":
        signs = copy.add("*", copy.add("sign", own), copy.add("sign", result))
        result = copy.add("*", own, copy.add("max", signs, 0.0))
    return splice(program, graph, place, copy.fragment(result), {**copy.bindings, "own": graph.update}, limits)


def _available(program: Program, graph: Graph, place: Place, common: CommonValues) -> dict[Key, int]:
    """The values that a name stands for at a place, and the inputs, by their keys."""
    nodes = [*visible_nodes(program, graph, place.statement).values(), *range(len(program.inputs))]
    return {common.keys[node]: node for node in reversed(nodes)}


class _Copy:
    """A value of the donor as operations of a fragment, with what it depends on.

    Attributes:
        operands: the operand for each node of the donor that is needed.
        bindings: the node of the recipient for each hole.
    """

    def __init__(
        self, graph: Graph, donor: Program, common: CommonValues, available: Mapping[Key, int], node: int
    ) -> None:
        self.operations: list[Operation] = []
        self.operands: dict[int, Operand] = {}
        self.bindings: dict[str, int] = {}
        self.states: list[int] = []
        self.graph, self.donor = graph, donor
        positions = {state: k for k, state in enumerate(graph.state_nodes)}
        waiting, operations = [node], set()
        while waiting:
            node = waiting.pop()
            if node in self.operands or node in operations:
                continue
            function, args, literal, _ = graph.nodes[node]
            key = common.donor_keys[node]
            if function == "literal" and literal is not None:
                self.operands[node] = literal
            elif key in available:
                self.operands[node] = Hole(f"value {available[key]}")
                self.bindings[f"value {available[key]}"] = available[key]
            elif node in positions:
                self.operands[node] = OldState(len(self.states))
                self.states.append(positions[node])
                waiting.append(graph.next_states[positions[node]])
            elif function.startswith("input:"):
                self.operands[node] = Hole(function.removeprefix("input:"))
            else:
                operations.add(node)
                waiting += args
        # In the order of the donor's text: the numbers of nodes depend on how its graph was traced.
        for node in dict.fromkeys(node for node in graph.statements if node in operations):
            function, args, _, _ = graph.nodes[node]
            self.operands[node] = self.add(function, *(self.operands[arg] for arg in args))

    def add(self, function: str, *operands: Operand) -> Value:
        """Appends an operation, and returns its value."""
        self.operations.append(Operation(function, operands))
        return Value(len(self.operations) - 1)

    def fragment(self, result: Operand) -> Fragment:
        """The operations so far as a fragment with a result."""
        return Fragment(
            tuple(self.operations),
            result,
            tuple(_copied_shape(self.donor.states[k].shape) for k in self.states),
            tuple(self.operands[self.graph.next_states[k]] for k in self.states),
        )


def _copied_shape(shape: str) -> str:
    """The shape of the copy of a donor's state: a program has at most one read-out, whose copy is an ordinary state."""
    return "tree" if shape == "readout" else shape
