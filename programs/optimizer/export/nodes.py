"""What a node of a program's graph stands for: questions that the analyses of an export share."""

from germline.programs.optimizer.graph import Graph
from germline.programs.optimizer.types import LEAF, SCALAR

COMPLEMENT_ROUNDING = 4 * 2.0**-53
"""How far two weights may be from a sum of one and still be the weights of one average."""


def number_of(graph: Graph, node: int) -> float | None:
    """The number that a node is, a literal or the difference of two; None for any other node."""
    function, args, literal, _ = graph.nodes[node]
    if function == "-":
        x, y = (graph.nodes[arg].literal for arg in args)
        return None if x is None or y is None else x - y
    return literal


def state_of(graph: Graph, node: int) -> int | None:
    """The position, in `program.states`, of the state that a node stands for; None if it stands for no state.

    A node stands for a state if it is the state's present or next value, or its present value times a scalar or a
    number per leaf.
    """
    for nodes in (graph.state_nodes, graph.next_states):
        if node in nodes:
            return nodes.index(node)
    function, args, *_ = graph.nodes[node]
    if function == "*":
        states = [arg for arg in args if arg in graph.state_nodes]
        if len(states) == 1 and any(graph.nodes[arg].type in (SCALAR, LEAF) for arg in args):
            return graph.state_nodes.index(states[0])
    return None


def is_length_of_parameters(graph: Graph, node: int) -> bool:
    """True for the norm of the parameters, of each or of all."""
    function, args, *_ = graph.nodes[node]
    return function in ("norm", "global_norm") and graph.nodes[args[0]].function == "input:w"


def is_of_parameters_alone(graph: Graph, node: int) -> bool:
    """True if a node depends on neither the gradient nor a state."""
    ancestors = graph.ancestors(node)
    return not any(graph.nodes[at].function == "input:g" or at in graph.state_nodes for at in ancestors)


def has_factor(graph: Graph, node: int, factor: float) -> bool:
    """True for a product with a number, or with a product that has it as a factor."""
    function, args, *_ = graph.nodes[node]
    if function != "*":
        return False
    numbers = (number for arg in args if (number := number_of(graph, arg)) is not None)
    return any(abs(number - factor) <= COMPLEMENT_ROUNDING for number in numbers) or any(
        has_factor(graph, arg, factor) for arg in args
    )
