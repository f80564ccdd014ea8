"""Patterns of expressions, written in the language itself, and how they match a form.

In a pattern the letters x, y, z and k stand for any value, a and b for literals, and equal letters for equal values.
Arguments of commutative functions match in either order. In a replacement, functions of literals are folded.
"""

import ast
from collections.abc import Iterator, Mapping
from functools import cache

from germline.programs.optimizer.primitives import PRIMITIVES
from germline.programs.optimizer.simplify.folding import fold
from germline.programs.optimizer.simplify.form import Expression, Form

Pattern = str | float | tuple["Pattern", ...]
"""A letter, a number, or a function with its arguments."""

Binding = Mapping[str, int]
"""The node that each letter stands for."""

LITERALS = frozenset("ab")
_OPERATORS: dict[type[ast.operator], str] = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}


@cache
def read_pattern(text: str) -> Pattern:
    """The pattern that a text of ours spells."""
    return _read(ast.parse(text, mode="eval").body)


def _read(node: ast.expr) -> Pattern:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        return float(node.value)
    if isinstance(node, ast.UnaryOp) and isinstance(node.operand, ast.Constant):
        return -float(node.operand.value)  # type: ignore[arg-type]
    if isinstance(node, ast.BinOp):
        return _OPERATORS[type(node.op)], _read(node.left), _read(node.right)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in PRIMITIVES:
        return node.func.id, *map(_read, node.args)
    raise ValueError(f"expected a pattern of the language, got {ast.unparse(node)}")


def matches(pattern: Pattern, form: Form, node: int) -> Iterator[Binding]:
    """Every way in which a pattern matches a node."""
    return _match(pattern, form, node, {})


def _match(pattern: Pattern, form: Form, at: int, bound: Binding) -> Iterator[Binding]:
    node = form.nodes[at]
    if isinstance(pattern, str):
        if pattern in bound:
            if bound[pattern] == at:
                yield bound
        elif pattern not in LITERALS or node.literal is not None:
            yield {**bound, pattern: at}
    elif isinstance(pattern, float):
        if node.literal == pattern:
            yield bound
    elif pattern[0] == node.function:
        orders = [node.args]
        if len(node.args) == 2 and PRIMITIVES[node.function].commutative and node.args[0] != node.args[1]:
            orders.append(node.args[::-1])
        for args in orders:
            yield from _match_all(pattern[1:], form, args, bound)


def _match_all(patterns: tuple[Pattern, ...], form: Form, args: tuple[int, ...], bound: Binding) -> Iterator[Binding]:
    if not patterns:
        yield bound
        return
    for more in _match(patterns[0], form, args[0], bound):
        yield from _match_all(patterns[1:], form, args[1:], more)


def instance(pattern: Pattern, form: Form, bound: Binding) -> Expression | None:
    """The expression that a pattern spells with the nodes of its letters; None if a literal of it is not finite."""
    if isinstance(pattern, str):
        literal = form.literal(bound[pattern])
        return bound[pattern] if literal is None else literal
    if isinstance(pattern, float):
        return pattern
    function, *parts = pattern
    assert isinstance(function, str)
    args = [instance(part, form, bound) for part in parts]
    if any(arg is None for arg in args):
        return None
    numbers = [arg for arg in args if isinstance(arg, float)]
    if len(numbers) == len(args):
        return fold(function, *numbers)
    return function, *(arg for arg in args if arg is not None)
