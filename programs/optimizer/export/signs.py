"""Which values of a program can never be negative."""

from collections.abc import Collection

from germline.programs.optimizer.graph import Graph
from germline.programs.optimizer.program import Program

Place = tuple[int, int]
"""The position of a literal: statement, argument."""

_ALWAYS = {
    "square", "abs", "norm", "global_norm", "sqrt", "exp", "exp2", "exp10", "cosh", "greater", "rank", "rows",
    "columns", "get_pi", "get_e", "get_eps", "input:lr", "input:step",
}  # fmt: skip
_IF_ALL = {
    "*", "+", "/", "min", "interp", "reciprocal", "rank_one", "row_mean", "column_mean", "transpose", "matmul", "cbrt",
    "cube", "sign", "leaf_max", "leaf_mean", "leaf_sum", "dot", "arctan", "arcsinh", "tanh", "sinh", "expm1",
}  # fmt: skip
_IF_FIRST = {"power", "clip"}


def nonnegative(program: Program, graph: Graph, free: Collection[Place] = ()) -> frozenset[int]:
    """The nodes of a program's graph whose values are zero, positive or NaN in every step.

    States start at zero, so a state is not negative if its next value is not, assuming the same of all states: the
    greatest fixpoint.

    Args:
        program: a valid program.
        graph: its trace.
        free: the places of literals that a user may make negative.
    """
    statements = {graph.statements[i]: i for i, line in enumerate(program.body) if line.function != "="}
    states = set(graph.state_nodes)
    while True:
        result = set(states)
        for node in range(len(graph.nodes)):
            if node not in states and _nonnegative(program, graph, node, statements.get(node), result, free):
                result.add(node)
        failed = {
            state
            for state, following in zip(graph.state_nodes, graph.next_states, strict=True)
            if state in states and following not in result
        }
        if not failed:
            return frozenset(result)
        states -= failed


def _nonnegative(
    program: Program, graph: Graph, node: int, statement: int | None, known: Collection[int], free: Collection[Place]
) -> bool:
    """True if a node cannot be negative, given the earlier nodes that cannot."""
    function, args, literal, _ = graph.nodes[node]
    if literal is not None:
        return literal >= 0
    if function in _ALWAYS:
        return True

    def argument(j: int) -> bool:
        return args[j] in known and (statement is None or (statement, j) not in free)

    if function in ("*", "dot") and args[0] == args[1]:
        return True
    if function == "max":
        return argument(0) or argument(1)
    if function == "interp":
        weight = graph.nodes[args[2]].literal
        return argument(0) and argument(1) and argument(2) and weight is not None and weight <= 1
    if function == "-":
        return graph.nodes[args[0]].literal == 1.0 and _below_one(graph, args[1])
    if function == "where":
        return argument(1) and argument(2)
    if function == "modulo":
        return argument(1)
    if function in _IF_FIRST:
        return argument(0)
    return function in _IF_ALL and all(map(argument, range(len(args))))


def _below_one(graph: Graph, node: int) -> bool:
    """True for a power of a decay with a count as its exponent."""
    function, args, *_ = graph.nodes[node]
    if function != "power":
        return False
    decay = graph.nodes[args[0]].literal
    return decay is not None and 0 < decay < 1 and graph.nodes[args[1]].function == "input:step"
