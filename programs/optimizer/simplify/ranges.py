"""The range of a value, from those of the arguments; and whether it can be zero, infinite or not a number.

Bounds are widened by more than rounding moves them.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from germline.programs.optimizer.primitives import EPSILON
from germline.programs.optimizer.simplify.folding import fold, fold_keeps_bits, single

INF = math.inf
SINGLE_HUGE, SINGLE_TINY = 3.4e38, 1.4e-45
"""Magnitudes beyond which a literal may be infinite, or zero, in single precision."""
LARGE, SMALL = 1e30, 1e-30
"""Magnitudes between which single precision neither overflows nor underflows in one more sum or product of two."""


@dataclass(frozen=True, slots=True)
class Fact:
    """What holds for all elements of a value.

    Attributes:
        low: a lower bound, of the elements that are numbers.
        high: an upper bound.
        zero: whether an element may be zero.
        infinite: whether an element may be infinite.
        nan: whether an element may be not a number.
        rounded: whether the bounds come from literals by operations that round: for `point`.
    """

    low: float = -INF
    high: float = INF
    zero: bool = True
    infinite: bool = True
    nan: bool = True
    rounded: bool = False

    @property
    def finite(self) -> bool:
        """True if every element is a finite number."""
        return not (self.infinite or self.nan)

    @property
    def positive(self) -> bool:
        """True if every element is a number above zero."""
        return self.low >= 0 and not self.zero and not self.nan

    @property
    def point(self) -> float | None:
        """The value that all elements have; None if it is not known."""
        return self.low if self.low == self.high and not self.nan and not self.infinite else None


NOTHING = Fact()
"""No knowledge."""


def number(value: float) -> Fact:
    """All elements are this number, which may be zero or infinite in single precision."""
    if 0 < abs(value) < SINGLE_TINY:
        return Fact(min(value, 0.0), max(value, 0.0), True, False, False)
    if abs(value) > SINGLE_HUGE:
        return Fact(-INF if value < 0 else value, INF if value > 0 else value, False, True, False)
    return Fact(value, value, value == 0, False, False)


def never_below(x: Fact, y: Fact) -> bool:
    """True if no element of x that is a number is below one of y: rounding keeps the order of two literals."""
    return x.low >= y.high if not (x.rounded or y.rounded) else _down(x.low) >= _up(y.high)


def join(a: Fact, b: Fact) -> Fact:
    """What holds for both."""
    low, high = min(a.low, b.low), max(a.high, b.high)
    return Fact(
        low, high, a.zero or b.zero or low < 0 < high, a.infinite or b.infinite, a.nan or b.nan, a.rounded or b.rounded
    )


def fact_of(function: str, args: Sequence[Fact]) -> Fact:
    """The facts about the value of a function, from those about its arguments."""
    points = [arg.point for arg in args]
    rounded = any(arg.rounded for arg in args)
    if args and all(point is not None for point in points):
        value = fold(function, *(point for point in points if point is not None))
        if value is not None:
            keeps = fold_keeps_bits(function, *(point for point in points if point is not None))
            return replace(number(value), rounded=rounded or not keeps)
    rule = _RULES.get(function)
    fact = NOTHING if rule is None else rule(*args)
    return replace(fact, rounded=True) if rounded else fact


def _sum(a: Fact, b: Fact) -> Fact:
    """The facts about a + b. A finite bound moves outwards by more than rounding in single precision could move it, but
    not across zero."""
    low, high = _lower(a.low, b.low), -_lower(-a.high, -b.high)
    bounded = max(map(abs, (a.low, a.high, b.low, b.high))) <= LARGE
    nan = a.nan or b.nan or (a.infinite and b.infinite and not (a.low >= 0 <= b.low or a.high <= 0 >= b.high))
    zero = low <= 0 <= high and not (a.positive and b.low >= 0) and not (b.positive and a.low >= 0)
    return Fact(low, high, zero, a.infinite or b.infinite or not bounded, nan)


def _lower(a: float, b: float) -> float:
    """A lower bound of the sum of two numbers, from lower bounds of both. In a difference of almost equal numbers,
    rounding may move it by more than its own size, but not to the other side of zero."""
    total = a + b
    if not math.isfinite(total):
        return -INF if math.isnan(total) else total
    lower = total - (abs(a) + abs(b)) * 1e-6
    return max(lower, 0.0) if total >= 0 else lower


def _negative(x: Fact) -> Fact:
    return Fact(-x.high, -x.low, x.zero, x.infinite, x.nan)


def _product(a: Fact, b: Fact) -> Fact:
    corners = [_times(p, q) for p in (a.low, a.high) for q in (b.low, b.high)]
    low, high = _down(min(corners)), _up(max(corners))
    bounded = max(map(abs, (a.low, a.high, b.low, b.high))) <= math.sqrt(LARGE)
    nan = a.nan or b.nan or (a.infinite and b.zero) or (b.infinite and a.zero)
    return Fact(low, high, a.zero or b.zero, a.infinite or b.infinite or not bounded, nan)


def _times(p: float, q: float) -> float:
    return 0.0 if p == 0 or q == 0 else p * q


def _down(bound: float) -> float:
    return bound - abs(bound) * 1e-6 if math.isfinite(bound) else (-INF if math.isnan(bound) else bound)


def _up(bound: float) -> float:
    return bound + abs(bound) * 1e-6 if math.isfinite(bound) else (INF if math.isnan(bound) else bound)


def _abs(x: Fact) -> Fact:
    low = 0.0 if x.low <= 0 <= x.high else min(abs(x.low), abs(x.high))
    return Fact(low, max(abs(x.low), abs(x.high)), x.zero, x.infinite, x.nan)


def _square(x: Fact) -> Fact:
    size = _abs(x)
    return _product(size, size)


def _sqrt(x: Fact) -> Fact:
    size = _abs(x)
    high = _up(math.sqrt(size.high)) if size.high < INF else INF
    return Fact(_down(math.sqrt(size.low)) if size.low < INF else 0.0, high, x.zero, x.infinite, x.nan)


def _sign(x: Fact) -> Fact:
    """The sign of what is not a number is 0."""
    low = 1.0 if x.positive else 0.0 if x.low >= 0 else -1.0
    high = 0.0 if x.high <= 0 else 1.0
    high = -1.0 if x.high <= 0 and not x.zero and not x.nan else high
    return Fact(low, high, x.zero or x.nan, False, False)


def _reciprocal(x: Fact) -> Fact:
    if x.zero or x.low < 0 < x.high:
        return Fact(zero=x.infinite, nan=x.nan)
    return Fact(-INF if x.low < 0 else 0.0, INF if x.high > 0 else 0.0, False, True, x.nan)


def _quotient(x: Fact, y: Fact) -> Fact:
    """x / y, whose divisor is y + 1e-8."""
    divisor = _sum(y, number(EPSILON))
    if divisor.low <= 0:
        return Fact(zero=True)
    low = 0.0 if x.low >= 0 else -INF
    high = 0.0 if x.high <= 0 else INF
    return Fact(low, high, x.zero, True, x.nan or y.nan or (x.infinite and y.infinite))


def _interp(x: Fact, y: Fact, a: Fact) -> Fact:
    return _sum(_product(_sum(number(1.0), _negative(a)), x), _product(a, y))


def _exp(x: Fact) -> Fact:
    low = 1.0 if x.low >= 0 else 0.0
    high = 1.0 if x.high <= 0 else INF
    return Fact(_down(low), _up(high), False, high == INF, x.nan)


def _cosh(x: Fact) -> Fact:
    return Fact(_down(1.0), INF, False, True, x.nan)


def _odd(bound: float = INF, domain: float = INF) -> Callable[[Fact], Fact]:
    """Facts about a function with the sign of its argument, up to a bound, for arguments up to `domain`."""

    def rule(x: Fact) -> Fact:
        inside = domain == INF or max(abs(x.low), abs(x.high)) < domain
        low = 0.0 if x.low >= 0 else -bound
        high = 0.0 if x.high <= 0 else bound
        return Fact(low, high, x.zero, bound == INF, x.nan or not inside)

    return rule


def _wave(x: Fact) -> Fact:
    """sin or cos."""
    return Fact(_down(-1.0), _up(1.0), True, False, x.nan or x.infinite)


def _max(x: Fact, y: Fact) -> Fact:
    low, high = max(x.low, y.low), max(x.high, y.high)
    zero = low <= 0 <= high and not x.positive and not y.positive and (x.zero or y.zero)
    return Fact(low, high, zero, x.infinite or y.infinite, x.nan or y.nan)


def _min(x: Fact, y: Fact) -> Fact:
    return _negative(_max(_negative(x), _negative(y)))


def _greater(x: Fact, y: Fact) -> Fact:
    above = never_below(x, y) and single(x.low) > single(y.high)
    low = 1.0 if above and not x.nan and not y.nan else 0.0
    high = 0.0 if x.high <= y.low else 1.0
    return Fact(low, high, low == 0, False, False)


def _where(c: Fact, x: Fact, y: Fact) -> Fact:
    if c.positive:
        return x
    return y if c.high <= 0 else join(x, y)


def _length(x: Fact) -> Fact:
    """norm or global_norm."""
    return x if x.point == 0 else Fact(0.0, INF, True, True, x.nan)


def _mean(x: Fact) -> Fact:
    """A mean over some elements, known for values that are not negative."""
    return Fact(_down(x.low), _up(x.high), x.zero, True, x.nan or x.infinite) if x.low >= 0 else NOTHING


def _clip(x: Fact, limit: Fact) -> Fact:
    if limit.low < 0:
        return NOTHING
    low, high = min(x.low, 0.0), max(x.high, 0.0)
    return Fact(low, high, True, x.infinite, x.nan or x.infinite or limit.nan or limit.zero or limit.infinite)


def _power(x: Fact, y: Fact) -> Fact:
    if x.low < 0 or (x.zero and y.low < 0):
        return NOTHING
    shrinking = x.point is not None and 0 < x.point < 1 and y.low >= 0
    high = _up(x.high**y.low) if shrinking else INF
    return Fact(0.0, high, x.zero, not shrinking, x.nan or y.nan)


def _modulo(x: Fact, y: Fact) -> Fact:
    """The rest of a division by an infinite divisor may be infinite, or not a number."""
    nan = x.nan or x.infinite or y.nan or y.infinite
    return Fact(0.0, y.high, True, y.infinite, nan) if y.positive else NOTHING


_RULES: dict[str, Callable[..., Fact]] = {
    "+": _sum,
    "-": lambda x, y: _sum(x, _negative(y)),
    "*": _product,
    "/": _quotient,
    "negative": _negative,
    "abs": _abs,
    "square": _square,
    "cube": lambda x: _product(x, _square(x)),
    "sqrt": _sqrt,
    "sign": _sign,
    "reciprocal": _reciprocal,
    "interp": _interp,
    "exp": _exp,
    "exp2": _exp,
    "exp10": _exp,
    "cosh": _cosh,
    "sin": _wave,
    "cos": _wave,
    "tanh": _odd(_up(1.0)),
    "arctan": _odd(_up(math.pi / 2)),
    "arcsin": _odd(_up(math.pi / 2), 1.0),
    "arctanh": _odd(domain=1.0),
    "sinh": _odd(),
    "arcsinh": _odd(),
    "cbrt": _odd(),
    "expm1": _odd(),
    "max": _max,
    "min": _min,
    "greater": _greater,
    "where": _where,
    "norm": _length,
    "global_norm": _length,
    "leaf_max": lambda x: x,
    "row_mean": _mean,
    "column_mean": _mean,
    "leaf_mean": _mean,
    "leaf_sum": lambda x: Fact(0.0, INF, True, True, x.nan or x.infinite) if x.low >= 0 else NOTHING,
    "clip": _clip,
    "power": _power,
    "modulo": _modulo,
    "rank": lambda x: Fact(0.0, INF, True, False, False),
    "rows": lambda x: Fact(1.0, INF, False, False, False),
    "columns": lambda x: Fact(1.0, INF, False, False, False),
}
