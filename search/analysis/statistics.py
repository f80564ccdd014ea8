"""Means with their confidence intervals, deviations and quartiles of small samples."""

from collections.abc import Sequence
from math import inf, sqrt
from statistics import fmean, quantiles, stdev

# fmt: off
STUDENT_95 = (
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228,
    2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086,
    2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
)
# fmt: on
"""Two-sided 95 % quantiles of Student's t distribution for 1, 2, … 30 degrees of freedom."""


def student_95(degrees: int) -> float:
    """Returns the two-sided 95 % quantile of Student's t distribution.

    Beyond the table, the expansion around the normal quantile (Abramowitz & Stegun 26.7.5) is exact to three digits.

    Args:
        degrees: degrees of freedom, at least 1.
    """
    if degrees <= len(STUDENT_95):
        return STUDENT_95[degrees - 1]
    return 1.95996 + 2.37227 / degrees + 2.82250 / degrees**2


def half_width(deviation: float, count: float) -> float:
    """Returns the half width of the 95 % confidence interval of a mean, in the unit of the values.

    Args:
        deviation: the sample standard deviation of the averaged values.
        count: number of values, at least 2.

    Example:
        half_width(6.0, 9)  # 4.612: the mean of nine values with deviation 6 is known to ± 4.6
    """
    return student_95(round(count) - 1) * deviation / sqrt(count)


def half_width_or_none(deviation: float | None, count: float | None) -> float | None:
    """Returns `half_width`, or None where the deviation is unknown or there are fewer than two values."""
    if deviation is None or count is None or count <= 1:
        return None
    return half_width(deviation, count)


def mean(values: Sequence[float]) -> float:
    """Returns the mean of at least one value, also of values so large that their sum is beyond the largest float."""
    try:
        return fmean(values)
    except OverflowError:
        return 2.0**60 * fmean(value / 2.0**60 for value in values)


def deviation(values: Sequence[float]) -> float:
    """Returns the sample standard deviation of at least two values; infinity beyond the largest float."""
    try:
        return stdev(values)
    except OverflowError:
        return inf


def quartiles(values: Sequence[float]) -> tuple[float, float]:
    """Returns the lower and the upper quartile, interpolated between neighbours. A single value is both.

    Raises:
        IndexError: there are no values.
    """
    if len(values) < 2:
        return values[0], values[0]
    lower, _, upper = quantiles(values, n=4, method="inclusive")
    return lower, upper
