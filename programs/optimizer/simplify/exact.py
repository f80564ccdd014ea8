"""Exact rules that are patterns: they hold for all numbers, under the protected functions of the language.

Where a rule does not round, both sides have the same bits. Where it rounds, a literal factor may have moved: the two
sides then differ by the rounding of single operations, and by more only where a value is within a factor of a million
of overflow or underflow.
"""

from germline.programs.optimizer.simplify.averages import DIGITS
from germline.programs.optimizer.simplify.ranges import never_below
from germline.programs.optimizer.simplify.rule import Match, Rule
from germline.programs.optimizer.simplify.rule import pattern_rule as rule
from germline.programs.optimizer.simplify.sums import MODERATE
from germline.programs.optimizer.types import LEAF


def _number_y(match: Match) -> bool:
    return not match.fact("y").nan


def _finite(match: Match) -> bool:
    return match.fact("x").finite


def _not_negative(match: Match) -> bool:
    return match.fact("x").low >= 0


def _moderate(match: Match) -> bool:
    return 1 / MODERATE <= match.value("a") <= MODERATE


def _minus_moderate(match: Match) -> bool:
    return 1 / MODERATE <= -match.value("a") <= MODERATE


def _positive_limits(match: Match) -> bool:
    return match.value("a") > 0 and match.value("b") > 0 and match.fact("x").finite


def _one_per_leaf(match: Match) -> bool:
    return match.context.form.nodes[match.bound["x"]].type == LEAF


def _turns_round(match: Match) -> bool:
    """The weight of y keeps its digits as a difference from 1."""
    a = match.value("a")
    return abs((1.0 - (1.0 - a)) - a) <= DIGITS * abs(a)


def _other_way_round(match: Match) -> bool:
    nodes = match.context.form.nodes
    others = [i for i in match.context.by_function[nodes[match.node].function] if i != match.node]
    return any(nodes[i].args == (match.bound["y"], match.bound["x"]) for i in others)


def _share(match: Match) -> bool:
    fact = match.fact("y")
    return not fact.nan and fact.low >= 0 and fact.high <= 1 and match.fact("x").finite


def _x_above_y(match: Match) -> bool:
    """So that the smaller may be dropped: it is a number."""
    x, y = match.fact("x"), match.fact("y")
    return never_below(x, y) and not y.nan


def _y_below_x(match: Match) -> bool:
    """So that the larger may be dropped: it is a number."""
    x, y = match.fact("x"), match.fact("y")
    return never_below(x, y) and not x.nan


def _at_least_one(match: Match) -> bool:
    fact = match.fact("y")
    return fact.low >= 1 and not fact.nan


def _even(function: str, rounds: bool = False) -> tuple[Rule, ...]:
    """The rules of a function that ignores the sign of its argument."""
    return tuple(
        rule("even function", f"{function}({inner}(x))", f"{function}(x)", rounds=rounds)
        for inner in ("negative", "abs")
    )


def _same_sign(function: str) -> Rule:
    """A function with the sign of its argument."""
    return rule("sign of an odd function", f"sign({function}(x))", "sign(x)")


_BITS: tuple[Rule, ...] = (
    rule("double negation", "negative(negative(x))", "x"),
    rule("negated difference", "negative(x - y)", "y - x", zeros=True),
    rule("minus a negative", "x - negative(y)", "x + y"),
    rule("plus a negative", "x + negative(y)", "x - y"),
    rule("zero minus", "0.0 - x", "negative(x)", zeros=True),
    rule("minus zero", "x - 0.0", "x", zeros=True),
    rule("plus zero", "x + 0.0", "x", zeros=True),
    rule("times one", "x * 1.0", "x"),
    rule("times minus one", "x * -1.0", "negative(x)"),
    rule("product of negatives", "negative(x) * negative(y)", "x * y"),
    rule("difference of equals", "x - x", "0.0", when=_finite, condition="x is finite"),
    rule("square", "x * x", "square(x)"),
    rule("cube", "square(x) * x", "cube(x)"),
    *(rule for function in ("abs", "square", "sqrt", "log", "log2", "log10") for rule in _even(function)),
    rule("absolute value", "abs(x)", "x", when=_not_negative, condition="x is not negative", zeros=True),
    rule("product of absolute values", "abs(x) * abs(y)", "abs(x * y)"),
    rule("sign times size", "sign(x) * abs(x)", "x", zeros=True),
    rule("value times sign", "x * sign(x)", "abs(x)", zeros=True),
    rule("reciprocal of a protected divisor", "reciprocal(x + 1e-8)", "1.0 / x"),
    rule("sign of a sign", "sign(sign(x))", "sign(x)"),
    *map(_same_sign, ("cbrt", "tanh", "arctan", "sinh", "arcsinh", "expm1")),
    rule("cube of a sign", "cube(sign(x))", "sign(x)"),
    rule(
        "maximum the other way round",
        "max(x, y)",
        "max(y, x)",
        when=_other_way_round,
        condition="max(y, x) is computed too",
        zeros=True,
    ),
    rule("maximum of equals", "max(x, x)", "x"),
    rule(
        "minimum the other way round",
        "min(x, y)",
        "min(y, x)",
        when=_other_way_round,
        condition="min(y, x) is computed too",
        zeros=True,
    ),
    rule("minimum of equals", "min(x, x)", "x"),
    rule("nested maximum", "max(max(x, y), x)", "max(x, y)", zeros=True),
    rule("nested minimum", "min(min(x, y), x)", "min(x, y)", zeros=True),
    rule("nested bounds", "max(max(x, a), b)", "max(x, max(a, b))", zeros=True),
    rule("nested bounds", "min(min(x, a), b)", "min(x, min(a, b))", zeros=True),
    rule("maximum with a smaller value", "max(x, y)", "x", when=_x_above_y, condition="x ≥ y", zeros=True),
    rule("minimum with a larger value", "min(y, x)", "y", when=_y_below_x, condition="x ≥ y", zeros=True),
    rule("maximum of minimum", "max(x, min(x, y))", "x", when=_number_y, condition="y is a number", zeros=True),
    rule("minimum of maximum", "min(x, max(x, y))", "x", when=_number_y, condition="y is a number", zeros=True),
    rule("maximum of negatives", "max(negative(x), negative(y))", "negative(min(x, y))", zeros=True),
    rule("minimum of negatives", "min(negative(x), negative(y))", "negative(max(x, y))", zeros=True),
    rule("choice between equals", "where(x, y, y)", "y"),
    rule("choice by a comparison with zero", "where(greater(x, 0.0), y, z)", "where(x, y, z)"),
    rule("choice by a sign", "where(sign(x), y, z)", "where(x, y, z)"),
    rule("nested choice", "where(x, where(x, y, k), z)", "where(x, y, z)"),
    rule("nested choice", "where(x, y, where(x, k, z))", "where(x, y, z)"),
    rule(
        "choice that is decided", "where(x, y, z)", "y", when=lambda m: m.fact("x").positive, condition="x is positive"
    ),
    rule(
        "choice that is decided",
        "where(x, y, z)",
        "z",
        when=lambda m: m.fact("x").high <= 0,
        condition="x is never > 0",
    ),
    rule("comparison with itself", "greater(x, x)", "0.0"),
    rule("first power", "power(x, 1.0)", "x"),
    rule("power zero", "power(x, 0.0)", "1.0"),
    rule("power of one", "power(1.0, x)", "1.0"),
    rule("written-out average", "(1.0 - z) * x + z * y", "interp(x, y, z)"),
    rule("norm of a negative", "norm(negative(x))", "norm(x)"),
    rule("norm of an absolute value", "norm(abs(x))", "norm(x)"),
    rule("norm of a negative", "global_norm(negative(x))", "global_norm(x)"),
    rule("norm of an absolute value", "global_norm(abs(x))", "global_norm(x)"),
    rule("root of a scalar product", "sqrt(dot(x, x))", "global_norm(x)"),
    rule("transposed twice", "transpose(transpose(x))", "x"),
    *(
        rule(
            "reduction of a scalar",
            f"{function}(x)",
            "x",
            when=_one_per_leaf,
            condition="x is a scalar per leaf",
            zeros=True,
        )
        for function in ("leaf_max", "leaf_mean", "leaf_sum")
    ),
)

_ROUNDING: tuple[Rule, ...] = (
    *_even("cos", rounds=True),
    *_even("cosh", rounds=True),
    rule(
        "sign of a multiple",
        "sign(x * a)",
        "sign(x)",
        when=_moderate,
        condition="a is positive",
        rounds=True,
    ),
    rule(
        "sign of a multiple",
        "sign(x * a)",
        "negative(sign(x))",
        when=_minus_moderate,
        condition="a is negative",
        rounds=True,
        zeros=True,
    ),
    rule("sign of a quotient", "sign(x / a)", "sign(x)", when=_moderate, condition="a is positive", rounds=True),
    rule("sign of a product", "sign(x * y)", "sign(x)", when=_at_least_one, condition="y ≥ 1"),
    rule(
        "choice by a multiple",
        "where(x * a, y, z)",
        "where(x, y, z)",
        when=_moderate,
        condition="a is positive",
        rounds=True,
    ),
    rule(
        "average the other way round",
        "interp(x, y, a)",
        "interp(y, x, 1.0 - a)",
        when=_turns_round,
        condition="a = 1 - (1 - a)",
        rounds=True,
        zeros=True,
    ),
    *(
        rule("even function of a difference", f"{function}(x - y)", f"{function}(y - x)")
        for function in ("abs", "square", "sqrt", "norm", "global_norm")
    ),
    rule("product with a reciprocal", "x * reciprocal(y + 1e-8)", "x / y", rounds=True),
    rule("product with a quotient", "x * (1.0 / y)", "x / y", rounds=True),
    rule("second power", "power(x, 2.0)", "square(x)", rounds=True),
    rule("third power", "power(x, 3.0)", "cube(x)", rounds=True),
    rule("power minus one", "power(x, -1.0)", "reciprocal(x)", rounds=True),
    rule("power one half", "power(x, 0.5)", "sqrt(x)", when=_not_negative, condition="x is not negative", rounds=True),
    rule("square of a root", "square(sqrt(x))", "abs(x)", rounds=True),
    rule("cube of a root", "cube(cbrt(x))", "x", rounds=True, zeros=True),
    rule("square of a norm", "square(global_norm(x))", "dot(x, x)", rounds=True),
    rule(
        "average of equals",
        "interp(x, x, y)",
        "x",
        when=_share,
        condition="x is finite, 0 ≤ y ≤ 1",
        zeros=True,
        rounds=True,
    ),
    rule(
        "nested clip",
        "clip(clip(x, a), b)",
        "clip(x, min(a, b))",
        when=_positive_limits,
        condition="x is finite, a and b are positive",
        rounds=True,
    ),
)

EXACT = (*_BITS, *_ROUNDING)

TURNS: tuple[Rule, ...] = (
    rule("sign of a negative", "sign(negative(x))", "negative(sign(x))", zeros=True),
    rule(
        "difference the other way round",
        "x - y",
        "negative(y - x)",
        when=_other_way_round,
        condition="y - x is computed too",
        zeros=True,
    ),
    rule("square of a sign", "square(sign(x))", "abs(sign(x))"),
)
"""Rules that only pay if others follow."""
