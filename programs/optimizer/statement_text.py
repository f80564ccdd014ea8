"""The text of what a statement assigns."""

from collections.abc import Mapping

from germline.programs.optimizer.primitives import PRIMITIVES
from germline.programs.optimizer.program import Statement

_NONE: Mapping[str, str] = {}


def expression(line: Statement, nested: Mapping[str, str] = _NONE) -> str:
    """The right-hand side of a statement. `nested`: texts that stand for names of values; those of + - * / are in
    parentheses."""
    args = [nested.get(arg, arg) if isinstance(arg, str) else repr(arg) for arg in line.args]
    if PRIMITIVES[line.function].operator:
        return f"{args[0]} {line.function} {args[1]}"
    args = [arg[1:-1] if arg[0] == "(" else arg for arg in args]
    return args[0] if line.function == "=" else f"{line.function}({', '.join(args)})"
