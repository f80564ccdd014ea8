"""The exact two-sided sign-flip test of paired differences.

If two contenders are equally good, each paired difference could as well have had the other sign. The p-value is the
share of all `2^n` assignments of signs whose sum is at least as far from zero as the observed sum (Fisher 1935). It
assumes neither normal values nor equal variances, only that differences are symmetric about zero.
"""

from collections.abc import Sequence

import numpy as np

MOST_PAIRS = 40
"""Most differences: the signs of each half of them are enumerated."""

_ROUNDING = 1e-12
"""Sums that differ by less, as a share of the sum of magnitudes, are equal: their order of addition differs."""


def sign_flip_p(differences: Sequence[float]) -> float:
    """Returns the two-sided p-value of the hypothesis that the differences are symmetric about zero.

    The signs of both halves of the differences are enumerated, and pairs of half sums are counted by bisection: exact,
    in `2^(n/2)` steps.

    Args:
        differences: one for each pair, finite.

    Returns:
        From `2 / 2^n` to 1; 1.0 if all differences are zero.

    Raises:
        ValueError: there are no differences, or more than `MOST_PAIRS`.

    Example:
        sign_flip_p([1.0, 2.0, 3.0])  # 0.25: of eight sums only 6 and -6 are as far from zero
    """
    if not 0 < len(differences) <= MOST_PAIRS:
        raise ValueError(f"expected 1 to {MOST_PAIRS} differences, got {len(differences)}")
    values = np.asarray(differences, np.float64)
    scale = np.abs(values).sum()
    if scale == 0.0:
        return 1.0
    values = values / scale
    bound = abs(values.sum()) - _ROUNDING
    half = len(values) // 2
    left, right = _sums(values[:half]), np.sort(_sums(values[half:]))
    above = len(right) - np.searchsorted(right, bound - left, side="left")
    below = np.searchsorted(right, -bound - left, side="right")
    count = above.sum() + below.sum()
    return min(1.0, float(count) / 2.0 ** len(values))


def smallest_p(pairs: int) -> float:
    """Returns the smallest p-value that so many differences can reach: all of one sign."""
    return 2.0 ** (1 - pairs)


def fewest_pairs(level: float) -> int:
    """Returns the fewest differences whose p-value can be below a level."""
    pairs = 1
    while smallest_p(pairs) >= level:
        pairs += 1
    return pairs


def _sums(values: np.ndarray) -> np.ndarray:
    """The sum for each assignment of signs, float64 `[2^n]`."""
    sums = np.zeros(1)
    for value in values:
        sums = np.concatenate([sums + value, sums - value])
    return sums
