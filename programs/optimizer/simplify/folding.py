"""Folds functions of literals: their values in double precision, and whether single precision has the same bits."""

from functools import lru_cache
from math import isfinite
from typing import Any

import numpy as np

from germline.programs.optimizer.primitives import PRIMITIVES

EXACT = frozenset(
    ("+", "-", "*", "/", "max", "min", "abs", "sign", "square", "cube", "sqrt", "negative", "reciprocal", "interp")
)
"""Functions that consist of operations which IEEE 754 defines exactly, so that every library has the same bits."""

KEEPS_BITS = EXACT | {"where", "greater", "modulo"}
"""Functions whose value has the same bits, wherever in an array of whatever shape it is computed."""

SAME = 1e-6
"""Two numbers that differ by a smaller share of one of them are equal up to rounding in single precision."""

EPS = 2.0**-52
"""The distance from 1 to the next larger number in double precision."""


def fold(function: str, *values: float) -> float | None:
    """The value of a function of literals in double precision.

    None if it is not finite, if the function has no value for literals, as a function of trees, or if it selects or
    clips and single precision decides otherwise: `greater(1.000000001, 1.0)` is 0 there.
    """
    if not _of_numbers(function):
        return None
    value, rounded = (_compute(function, precision, *map(repr, values)) for precision in (np.float64, np.float32))
    if PRIMITIVES[function].jumps and abs(rounded - value) > SAME * abs(value):
        return None
    return value if isfinite(value) else None


def fold_keeps_bits(function: str, *values: float) -> bool:
    """True if the folded literal stands for the same bits in single and in double precision, wherever it is used.

    The value has to be a number of single precision, because `1 - a` inside of `interp` has more digits for a literal
    than for a computed number.
    """
    value: float = _compute(function, np.float64, *map(repr, values))
    single: float = _compute(function, np.float32, *map(repr, values))
    return (function in EXACT or not values) and value == single


def single(value: float) -> float:
    """A number rounded to single precision."""
    with np.errstate(all="ignore"):
        return float(np.float32(value))


def near(a: float, b: float) -> bool:
    """True if two literals are one number up to rounding in double precision."""
    return abs(a - b) <= 8 * EPS * max(abs(a), abs(b))


def tidy(value: float) -> float:
    """The number of fewest digits, at most 15, that is `value` up to rounding; `value` itself if there is none."""
    shorter = (float(f"{value:.{digits}g}") for digits in range(12, 16))
    return next((short for short in shorter if near(short, value)), value)


def _of_numbers(function: str) -> bool:
    return PRIMITIVES[function].scope in ("constant", "elementwise") and function != "invert"


@lru_cache(maxsize=100_000)
def _compute(function: str, precision: Any, *values: str) -> float:
    """The value in a precision. The literals are text, because as cache keys 0.0 and -0.0 would be equal."""
    primitive = PRIMITIVES[function]
    if primitive.scope == "constant":
        return float(precision(primitive.run()))
    with np.errstate(all="ignore"):
        return float(primitive.run(np, *(np.full((1,), float(value), precision) for value in values))[0])
