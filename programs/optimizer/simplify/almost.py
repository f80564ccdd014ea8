"""Rules that are patterns and hold for real numbers almost everywhere.

They fail where a value over- or underflows, where a sum rounds a term away, outside of a function's domain, and at
poles.
"""

from germline.programs.optimizer.simplify.rule import Condition, Match, Rule, pattern_rule

_X_NOT_NEGATIVE = "x is not negative"


def rule(name: str, before: str, after: str, when: Condition | None = None, condition: str = "") -> Rule:
    """A rule of this tier."""
    return pattern_rule(name, before, after, "almost", when=when, condition=condition)


def _not_negative(match: Match) -> bool:
    return match.fact("x").low >= 0


def _y_positive(match: Match) -> bool:
    return match.fact("y").positive


def _y_not_negative(match: Match) -> bool:
    return match.fact("y").low >= 0


def _a_positive(match: Match) -> bool:
    return match.value("a") > 0


def _a_negative(match: Match) -> bool:
    return match.value("a") < 0


def _x_above_y(match: Match) -> bool:
    return match.fact("x").low >= match.fact("y").high


def _in_domain(match: Match) -> bool:
    fact = match.fact("x")
    return fact.low >= -1 and fact.high <= 1


def _integer(match: Match) -> bool:
    return match.value("a").is_integer() and match.value("b").is_integer()


_INVERSES = (
    ("exp2(log2(x))", "abs(x)"),
    ("exp10(log10(x))", "abs(x)"),
    ("exp(log(x))", "abs(x)"),
    ("log(exp(x))", "x"),
    ("log2(exp2(x))", "x"),
    ("log10(exp10(x))", "x"),
    ("log1p(expm1(x))", "x"),
    ("sinh(arcsinh(x))", "x"),
    ("arcsinh(sinh(x))", "x"),
    ("tan(arctan(x))", "x"),
    ("arctanh(tanh(x))", "x"),
    ("arccosh(cosh(x))", "abs(x)"),
    ("cbrt(cube(x))", "x"),
    ("sqrt(square(x))", "abs(x)"),
    ("reciprocal(reciprocal(x))", "x"),
)

ALMOST: tuple[Rule, ...] = (
    *(rule("inverse function", before, after) for before, after in _INVERSES),
    *(
        rule("inverse function", before, "x", _in_domain, "-1 ≤ x ≤ 1")
        for before in ("sin(arcsin(x))", "cos(arccos(x))", "tanh(arctanh(x))")
    ),
    *(
        rule("sign of an odd function", before, "sign(x)", _in_domain, "-1 ≤ x ≤ 1")
        for before in ("sign(arcsin(x))", "sign(arctanh(x))")
    ),
    rule("difference of equals", "x - x", "0.0"),
    rule("times zero", "x * 0.0", "0.0"),
    rule("zero over a value", "0.0 / x", "0.0"),
    rule("product with its reciprocal", "x * reciprocal(x)", "1.0"),
    rule("minus zero", "x - 0.0", "x"),
    rule("plus zero", "x + 0.0", "x"),
    rule("zero minus", "0.0 - x", "negative(x)"),
    rule("negated difference", "negative(x - y)", "y - x"),
    rule("average of equals", "interp(x, x, y)", "x"),
    rule("average as a correction", "x + z * (y - x)", "interp(x, y, z)"),
    rule("average as a correction", "x - z * (x - y)", "interp(x, y, z)"),
    rule("common factor", "x * y + x * z", "x * (y + z)"),
    rule("common factor", "x * y - x * z", "x * (y - z)"),
    rule("common factor", "interp(x * y, x * z, k)", "x * interp(y, z, k)"),
    rule("common factor", "max(x * a, y * a)", "max(x, y) * a", _a_positive, "a is positive"),
    rule("common factor", "min(x * a, y * a)", "min(x, y) * a", _a_positive, "a is positive"),
    rule("common factor", "where(x, y * k, z * k)", "where(x, y, z) * k"),
    rule("common divisor", "x / z + y / z", "(x + y) / z"),
    rule("common divisor", "x / z - y / z", "(x - y) / z"),
    rule("product of exponentials", "exp(x) * exp(y)", "exp(x + y)"),
    rule("product of exponentials", "exp2(x) * exp2(y)", "exp2(x + y)"),
    rule("product of exponentials", "exp10(x) * exp10(y)", "exp10(x + y)"),
    rule("product of roots", "sqrt(x) * sqrt(y)", "sqrt(x * y)"),
    rule("product of cube roots", "cbrt(x) * cbrt(y)", "cbrt(x * y)"),
    rule("product of signs", "sign(x) * sign(y)", "sign(x * y)"),
    rule("power of a power", "power(power(x, a), b)", "power(x, a * b)", _not_negative, _X_NOT_NEGATIVE),
    rule("power of a power", "power(power(x, a), b)", "power(x, a * b)", _integer, "a and b are whole"),
    rule("root of a power", "sqrt(cube(x))", "power(x, 1.5)", _not_negative, _X_NOT_NEGATIVE),
    rule("root of a power", "sqrt(power(x, a))", "power(x, a * 0.5)", _not_negative, _X_NOT_NEGATIVE),
    rule("square of a power", "square(power(x, a))", "power(x, a * 2.0)", _not_negative, _X_NOT_NEGATIVE),
    rule("reciprocal of a power", "reciprocal(power(x, a))", "power(x, negative(a))"),
    rule("product of powers", "power(x, a) * power(x, b)", "power(x, a + b)", _not_negative, _X_NOT_NEGATIVE),
    rule("logarithms", "log(x) + log(y)", "log(x * y)"),
    rule("sign of a multiple", "sign(x * a)", "sign(x)", _a_positive, "a is positive"),
    rule("sign of a multiple", "sign(x * a)", "negative(sign(x))", _a_negative, "a is negative"),
    rule("sign of a product", "sign(x * y)", "sign(x)", _y_positive, "y is positive"),
    rule("sign of a quotient", "sign(x / y)", "sign(x)", _y_not_negative, "y is not negative"),
    rule("sign of a clipped value", "sign(clip(x, y))", "sign(x)", _y_positive, "y is positive"),
    rule("sign of an odd function", "sign(cube(x))", "sign(x)"),
    rule("value over its size", "x * reciprocal(abs(x))", "sign(x)"),
    rule("size over its value", "abs(x) * reciprocal(x)", "sign(x)"),
    rule("choice that is decided", "where(x, y, z)", "y", lambda m: m.fact("x").positive, "x is positive"),
    rule("choice of the larger", "where(greater(x, y), x, y)", "max(x, y)"),
    rule("choice of the smaller", "where(greater(x, y), y, x)", "min(x, y)"),
    rule("choice of the larger", "where(x - y, x, y)", "max(x, y)"),
    rule("choice by a sign", "where(x, x, negative(x))", "abs(x)"),
    rule("maximum with a smaller value", "max(x, y)", "x", _x_above_y, "x ≥ y"),
    rule("minimum with a larger value", "min(y, x)", "y", _x_above_y, "x ≥ y"),
    rule("maximum of minimum", "max(x, min(x, y))", "x"),
    rule("minimum of maximum", "min(x, max(x, y))", "x"),
    rule("larger of both signs", "max(x, negative(x))", "abs(x)"),
    rule("smaller of both signs", "min(x, negative(x))", "negative(abs(x))"),
    rule("sum of maximum and minimum", "max(x, y) + min(x, y)", "x + y"),
    rule("norm of norms", "norm(norm(x))", "norm(x)"),
    rule("norm of norms", "global_norm(norm(x))", "global_norm(x)"),
    rule("sum of scalar products", "dot(x, y) + dot(x, z)", "dot(x, y + z)"),
    rule("similarity to itself", "cosine_sim(x, x)", "1.0"),
    rule("similarity of a multiple", "cosine_sim(x * a, y)", "cosine_sim(x, y)", _a_positive, "a is positive"),
    rule(
        "nested clip",
        "clip(clip(x, a), b)",
        "clip(x, min(a, b))",
        lambda m: m.value("a") > 0 and m.value("b") > 0,
        "a and b are positive",
    ),
)


def _moved(function: str, factor: str, positive: bool = False) -> Rule:
    """A literal factor moved out of a function."""
    return rule(
        "factor out of a function",
        f"{function}(x * a)",
        f"{function}(x) * {factor}",
        _a_positive if positive else None,
        "a is positive" if positive else "",
    )


OUTWARDS: tuple[Rule, ...] = (
    _moved("abs", "abs(a)"),
    _moved("sqrt", "sqrt(a)"),
    _moved("cbrt", "cbrt(a)"),
    _moved("norm", "abs(a)"),
    _moved("global_norm", "abs(a)"),
    _moved("leaf_mean", "a"),
    _moved("leaf_sum", "a"),
    _moved("row_mean", "a"),
    _moved("column_mean", "a"),
    _moved("transpose", "a"),
    _moved("leaf_max", "a", positive=True),
    _moved("reciprocal", "reciprocal(a)"),
    rule("factor out of a function", "dot(x * a, y)", "dot(x, y) * a"),
    rule("factor out of a function", "matmul(x * a, y)", "matmul(x, y) * a"),
    rule("factor out of a function", "matmul(y, x * a)", "matmul(y, x) * a"),
    rule("factor out of a function", "clip(x * a, b)", "clip(x, b * reciprocal(a)) * a", _a_positive, "a is positive"),
    rule("square of a product", "square(x * y)", "square(x) * square(y)"),
    rule("size of a sign", "sign(square(x))", "abs(sign(x))"),
)
"""Rules that only pay if others follow."""
