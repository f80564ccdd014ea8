"""Values that two programs have in common, so that a graft reads what its new program computes already."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from germline.programs.optimizer.graph import Graph
from germline.programs.optimizer.primitives import PRIMITIVES
from germline.programs.optimizer.program import Program

Key = int
"""Equal for two values that are the same function of the same inputs and states."""


@dataclass(frozen=True)
class CommonValues:
    """What a donor's values are in the program that receives them.

    Attributes:
        keys: the key of each node of the recipient's graph.
        donor_keys: the key of each node of the donor's graph.
    """

    keys: Mapping[int, Key]
    donor_keys: Mapping[int, Key]


def common_values(
    program: Program,
    graph: Graph,
    donor: Program,
    donor_graph: Graph,
    affected: Iterable[int] = (),
    gradient: int | None = None,
) -> CommonValues:
    """Compares the values of two programs, over all steps.

    A state of the donor is a state of the recipient if both have the same name, shape and next value. These pairs
    are the largest set for which that holds, so that two averages of one thing are one.

    Args:
        program, graph: the recipient.
        donor, donor_graph: the donor.
        affected: nodes of the recipient that are about to change, and are equal to nothing.
        gradient: the node of the recipient that the donor takes for its input `g`; None: `g`.
    """
    table = _Table()
    changing = set(affected)
    keys = table.keys(graph, {node: ("changing", node) for node in changing})
    shapes = {state.name: (k, state.shape) for k, state in enumerate(program.states)}
    pairs: dict[int, int] = {}
    for k, state in enumerate(donor.states):
        if state.name in shapes and shapes[state.name][1] == state.shape:
            pairs[k] = shapes[state.name][0]
    while True:
        leaves: dict[int, object] = {}
        for k, node in enumerate(donor_graph.state_nodes):
            leaves[node] = keys[graph.state_nodes[pairs[k]]] if k in pairs else ("donor", k)
        if gradient is not None:
            leaves[1] = keys[gradient]
        donor_keys = table.keys(donor_graph, leaves)
        different = [k for k in pairs if donor_keys[donor_graph.next_states[k]] != keys[graph.next_states[pairs[k]]]]
        if not different:
            return CommonValues(keys, donor_keys)
        for k in different:
            del pairs[k]


def dependants(graph: Graph, start: Iterable[int]) -> set[int]:
    """The nodes that depend on the given nodes, in this step or, through states, in a later step; with these nodes."""
    affected = set(start)
    carried = dict(zip(graph.next_states, graph.state_nodes, strict=True))
    while True:
        before = len(affected)
        for node, value in enumerate(graph.nodes):
            if not affected.isdisjoint(value.args):
                affected.add(node)
        affected |= {state for value, state in carried.items() if value in affected}
        if len(affected) == before:
            return affected


@dataclass
class _Table:
    """Keys of expressions: equal expressions get equal keys."""

    known: dict[object, Key] = field(default_factory=dict)

    def keys(self, graph: Graph, leaves: Mapping[int, object]) -> dict[int, Key]:
        """The key of each node of a graph; `leaves` are nodes that stand for something else, which may be a key."""
        keys: dict[int, Key] = {}
        for node, value in enumerate(graph.nodes):
            leaf = leaves.get(node)
            if isinstance(leaf, int):
                keys[node] = leaf
                continue
            expression: object = leaf
            if leaf is None:
                args = [keys[arg] for arg in value.args]
                if len(args) == 2 and PRIMITIVES[value.function].commutative:
                    args.sort()
                # Text, because 0.0 and -0.0 are equal as keys.
                expression = (value.function, repr(value.literal), *args)
            keys[node] = self.known.setdefault(expression, len(self.known))
        return keys
