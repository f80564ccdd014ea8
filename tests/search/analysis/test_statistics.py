"""Means, confidence intervals and quartiles."""

from math import exp, inf, lgamma, log, pi

import numpy as np
import pytest

from germline.search.analysis.statistics import (
    STUDENT_95,
    deviation,
    half_width,
    half_width_or_none,
    mean,
    quartiles,
    student_95,
)


def probability_within(width: float, degrees: int) -> float:
    """The probability that a value of Student's t distribution is within `width` of 0, by Simpson's rule."""
    x = np.linspace(0.0, width, 20_001)
    scale = exp(lgamma((degrees + 1) / 2) - lgamma(degrees / 2) - log(degrees * pi) / 2)
    y = scale * (1 + x**2 / degrees) ** (-(degrees + 1) / 2)
    return float(2 * (x[1] / 3) * (y[0] + 4 * y[1:-1:2].sum() + 2 * y[2:-1:2].sum() + y[-1]))


@pytest.mark.parametrize("degrees", [*range(1, len(STUDENT_95) + 3), 40, 60, 120, 199, 100_000])
def test_the_quantile_holds_95_percent_of_students_distribution(degrees: int) -> None:
    assert probability_within(student_95(degrees), degrees) == pytest.approx(0.95, abs=5e-5)


def test_the_interval_of_few_values_is_wider_than_a_normal_one() -> None:
    assert half_width(6.0, 9) == pytest.approx(2.306 * 6.0 / 3.0)
    assert half_width(1.0, 2) == pytest.approx(12.706 / 2**0.5)
    assert half_width(1.0, 10_000) == pytest.approx(0.0196, rel=1e-3)


def test_a_single_value_has_no_interval() -> None:
    assert half_width_or_none(6.0, 9) == half_width(6.0, 9)
    assert half_width_or_none(0.0, 1) is half_width_or_none(6.0, None) is half_width_or_none(None, 9) is None


def test_quartiles_lie_between_neighbours() -> None:
    assert quartiles([1.0, 2.0, 3.0, 4.0, 5.0]) == (2.0, 4.0)
    assert quartiles([1.0, 2.0]) == (1.25, 1.75)
    assert quartiles([7.0]) == (7.0, 7.0)


def test_a_mean_does_not_overflow_on_the_way() -> None:
    assert mean([1.7e308, 1.7e308, 1.6e308]) == pytest.approx(1.7e308, rel=0.1)
    assert mean([1.7e308, 1.7e308, -inf]) == -inf
    assert mean([0.1, 0.2, 0.4]) == sum([0.1, 0.2, 0.4]) / 3


def test_a_deviation_beyond_the_largest_float_is_infinite() -> None:
    assert deviation([1.7e308, -1.7e308]) == inf and deviation([1.0, 3.0]) == 2.0**0.5
