"""Expressions of JAX code, and how each function of the language is written."""

import re
from dataclasses import dataclass

ANY, SUM, PRODUCT, SIGN, POWER, ATOM = range(6)
"""How tightly an expression binds."""

_SIMPLE = re.compile(r"-?([A-Za-z_]\w*(\.\w+)*|\d[\w.]*(e[-+]?\d+)?)")


@dataclass(frozen=True)
class Expression:
    """A piece of code.

    Attributes:
        text: the code.
        level: how tightly it binds.
        reads: the variables in it that have a value for each parameter.
        inlined: the nodes of the program's graph that it computes; empty for a variable or a number.
        is_number: True if it may be a Python number, with which a division by zero raises an error.
        heavy: True if it calls a function or raises to a power, so that it is worth computing once.
        divisor: of one over something, that something.
        condition: of a comparison, its condition.
    """

    text: str
    level: int = ATOM
    reads: frozenset[str] = frozenset()
    inlined: frozenset[int] = frozenset()
    is_number: bool = False
    heavy: bool = False
    divisor: str | None = None
    condition: str | None = None

    def at(self, level: int) -> str:
        """The code as an operand that has to bind at least as tightly as a level."""
        return self.text if self.level >= level else f"({self.text})"


@dataclass(frozen=True)
class Form:
    """How a function is written.

    Attributes:
        source: the code, with `{0}` for the first argument.
        level: how tightly it binds.
        levels: how tightly each argument has to bind.
    """

    source: str
    level: int = ATOM
    levels: tuple[int, ...] = (ANY, ANY, ANY)

    def repeats(self, argument: int) -> bool:
        """True if the code has an argument more than once."""
        return self.source.count(f"{{{argument}}}") > 1


def literal(value: float, as_integer: bool = False) -> Expression:
    """A number. Whole numbers are written as integers where Python's rules give the same result."""
    text = repr(int(value)) if as_integer and value == int(value) and abs(value) <= 4 and value else repr(value)
    return Expression(text, SIGN if text.startswith("-") else ATOM, is_number=True)


def power(base: Expression, exponent: Expression) -> str:
    """`base ** exponent` as formatters write it."""
    left, right = base.at(ATOM), exponent.at(SIGN if _SIMPLE.fullmatch(exponent.text) else ATOM)
    hugs = _SIMPLE.fullmatch(left) and _SIMPLE.fullmatch(right)
    return f"{left}**{right}" if hugs else f"{left} ** {right}"


def negated(expression: Expression) -> str:
    """Minus an expression."""
    text = expression.at(PRODUCT)
    return f"-({text})" if text.startswith("-") else f"-{text}"


def _calls(*names: str) -> dict[str, Form]:
    return {name: Form(f"jnp.{name}({{0}})") for name in names}


FORMS = {
    "get_pi": Form("jnp.pi"),
    "get_e": Form("jnp.e"),
    "get_eps": Form("1e-08"),
    **_calls("abs", "cos", "sin", "tan", "arcsin", "arccos", "arctan", "sinh", "cosh", "tanh", "arcsinh", "arccosh"),
    **_calls("arctanh", "exp", "exp2", "expm1", "square", "cbrt"),
    "sign": Form("_sign({0})"),
    "exp10": Form("jnp.power(10.0, {0})"),
    "log": Form("jnp.log(jnp.abs({0}))"),
    "log10": Form("jnp.log10(jnp.abs({0}))"),
    "log2": Form("jnp.log2(jnp.abs({0}))"),
    "log1p": Form("jnp.log(jnp.abs(1 + {0}))", levels=(SUM,)),
    "sqrt": Form("jnp.sqrt(jnp.abs({0}))"),
    "cube": Form("{0} * {0} * {0}", PRODUCT, (POWER,)),
    "negative": Form("-{0}", SIGN, (POWER,)),
    "norm": Form("jnp.linalg.norm(jnp.ravel({0}))"),
    "global_norm": Form("_global_norm({0})"),
    "dot": Form("_dot({0}, {1})"),
    "cosine_sim": Form("_cosine_sim({0}, {1})"),
    "clip": Form("_clip({0}, {1})"),
    "interp": Form("{2} * {1} + (1 - {2}) * {0}", SUM, (SIGN, SIGN, SIGN)),
    "+": Form("{0} + {1}", SUM, (SUM, PRODUCT)),
    "-": Form("{0} - {1}", SUM, (SUM, PRODUCT)),
    "*": Form("{0} * {1}", PRODUCT, (PRODUCT, SIGN)),
    "max": Form("jnp.maximum({0}, {1})"),
    "min": Form("jnp.minimum({0}, {1})"),
    "modulo": Form("jnp.remainder({0}, {1})"),
    "leaf_max": Form("jnp.max({0})"),
    "leaf_mean": Form("jnp.mean({0})"),
    "leaf_sum": Form("jnp.sum({0})"),
    "rank": Form("float(jnp.ndim({0}))"),
    "rows": Form("_rows({0})"),
    "columns": Form("_columns({0})"),
    "row_mean": Form("_row_mean({0})"),
    "column_mean": Form("_column_mean({0})"),
    "rank_one": Form("_rank_one({0}, {1})"),
    "matmul": Form("_matmul({0}, {1})"),
    "transpose": Form("_transpose({0})"),
    "orthogonalize": Form("_orthogonalize({0})"),
    "inverse_root": Form("_inverse_root({0})"),
    "eigenbasis": Form("_eigenbasis({0}, {1})"),
    "rotate_back": Form("_rotate_back({0}, {1})"),
}
"""How functions are written, except those whose code depends on their arguments: / power reciprocal greater where."""
