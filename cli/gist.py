"""The update of a program in one line: statements put into one another, states and inputs by their names."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from germline.programs.optimizer import Graph

DEPTH = 6
"""Deeper than this a value is only hinted at; an expression shared by many grows fast."""

_RANKS = {"+": 1, "-": 1, "*": 2, "/": 2}
_ATOM = 3


def gist(text: str) -> str:
    """The update as an expression, constants to three digits. A state stands for its new value where it has one.

    Raises:
        InvalidProgram: the text is not a valid program.
    """
    from germline.programs.optimizer import parse, trace

    program = parse(text)
    graph = trace(program)
    names = {graph.next_states[k]: program.states[k].name for k in graph.live_states}
    names.pop(graph.update, None)
    return _expression(graph, graph.update, names, DEPTH)[0]


def _expression(graph: "Graph", at: int, names: dict[int, str], depth: int) -> tuple[str, int]:
    """A node's expression and how tightly its outermost operation binds."""
    node = graph.nodes[at]
    if node.literal is not None:
        return f"{node.literal:.3g}", _ATOM
    if not node.args:
        return node.function.removeprefix("input:"), _ATOM
    if at in names:
        return names[at], _ATOM
    if depth == 0:
        return "…", _ATOM
    args = [_expression(graph, arg, names, depth - 1) for arg in node.args]
    rank = _RANKS.get(node.function)
    if rank is None:
        return f"{node.function}({', '.join(text for text, _ in args)})", _ATOM
    (left, left_rank), (right, right_rank) = args
    # On the right of - and / an operation of the same rank needs its brackets; elsewhere they are noise.
    tight = rank + (node.function in "-/")
    left = f"({left})" if left_rank < rank else left
    right = f"({right})" if right_rank < tight or right.startswith("-") else right
    return f"{left} {node.function} {right}", rank
