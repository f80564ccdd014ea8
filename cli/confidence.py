"""Confidence intervals of a mean by Student's t distribution."""

from math import sqrt

# fmt: off
STUDENT_95 = (
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228,
    2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086,
    2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
)
# fmt: on
"""Two-sided 95 % quantiles of Student's t distribution for 1, 2, 3, … degrees of freedom."""


def half_width(deviation: float, count: float) -> float:
    """Half width of the 95 % confidence interval of a mean.

    Args:
        deviation: standard deviation of the values, estimated from them.
        count: number of values, at least 2.
    """
    return student_95(round(count) - 1) * deviation / sqrt(count)


def student_95(freedom: int) -> float:
    """Two-sided 95 % quantile of Student's t distribution with `freedom` degrees of freedom.

    Beyond the table it is the expansion around the normal distribution (Abramowitz & Stegun 26.7.5), which is exact to
    three digits there.
    """
    if freedom <= len(STUDENT_95):
        return STUDENT_95[freedom - 1]
    return 1.95996 + 2.37227 / freedom + 2.82250 / freedom**2
