"""Optimizer programs on a terminal: their lines, how much of them counts, and the update in one line."""

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING

from germline.cli.lines import Line

if TYPE_CHECKING:
    from germline.programs.optimizer import Graph, Program

DEPTH = 6
"""Deeper than this a value is only hinted at; an expression shared by many grows fast."""

_RANKS = {"+": 1, "-": 1, "*": 2, "/": 2}
_ATOM = 3


@lru_cache(maxsize=64)
def program_lines(text: str) -> tuple[Line, ...]:
    """The lines of a program's canonical text: the signature, the statements from 1, the return.

    Raises:
        InvalidProgram: the text is not a valid program.
    """
    from germline.programs.optimizer import parse, trace, write

    program = parse(text)
    live = set(trace(program).live_statements)
    signature, *body, last = write(program).splitlines()
    statements = [
        Line(line.strip(), i in live, (one.target, one.function), _arguments(program, i), i + 1)
        for i, (line, one) in enumerate(zip(body, program.body, strict=True))
    ]
    inputs = signature.partition("(")[2].removesuffix("):").split(", ")
    return (
        Line(signature, True, ("def",), tuple(inputs)),
        *statements,
        Line(last.strip(), True, ("return",), program.returns),
    )


def counts(facts: Mapping[str, object]) -> str:
    """How much of a program counts, in a line."""
    names = facts["live_states"]
    states = f" ({', '.join(names)})" if isinstance(names, list) and names else ""
    return (
        f"{facts['live']} of {facts['statements']} statements live, "
        f"{len(names) if isinstance(names, list) else 0} of {facts['states']} states{states}, "
        f"{facts['constants']} constants"
    )


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


def _arguments(program: "Program", i: int) -> tuple[str, ...]:
    return tuple(arg if isinstance(arg, str) else repr(arg) for arg in program.body[i].args)
