"""Tests and intervals against hand-computed values and whole enumerations."""

from itertools import product
from math import inf, isclose, sqrt
from statistics import NormalDist, fmean

import numpy as np
import pytest

from germline.search.significance.aggregate import (
    geometric_mean,
    geometric_mean_interval,
    performance_profile,
    probability_of_improvement,
)
from germline.search.significance.bca import bca_interval, interval_of
from germline.search.significance.holm import holm
from germline.search.significance.power import pairs_needed
from germline.search.significance.sign_flip import MOST_PAIRS, fewest_pairs, sign_flip_p, smallest_p


def brute_force_p(differences: list[float]) -> float:
    """The p-value by all assignments of signs, with whole numbers so that sums are exact."""
    observed = abs(sum(differences))
    sums = [
        abs(sum(s * d for s, d in zip(signs, differences, strict=True)))
        for signs in product((1, -1), repeat=len(differences))
    ]
    return sum(total >= observed for total in sums) / len(sums)


@pytest.mark.parametrize("count", [1, 2, 3, 7, 10, 11])
def test_sign_flip_counts_what_an_enumeration_counts(count: int) -> None:
    rng = np.random.default_rng(count)
    for _ in range(5):
        differences = [float(d) for d in rng.integers(-9, 12, count)]
        assert sign_flip_p(differences) == brute_force_p(differences)


def test_sign_flip_of_known_samples() -> None:
    assert sign_flip_p([1.0, 2.0, 3.0]) == 0.25
    assert sign_flip_p([0.1] * 10) == 2 / 1024
    assert sign_flip_p([0.1, 0.1, -0.1]) == 1.0
    assert sign_flip_p([0.0, 0.0]) == 1.0
    # Darwin's maize, 15 pairs: Fisher counted 863 sums as large as observed of 32,768 in one tail, of both signs.
    maize = [49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48]
    assert sign_flip_p(list(map(float, maize))) == 2 * 863 / 32768


def test_sign_flip_ignores_the_rounding_of_sums() -> None:
    differences = [0.1, 0.2, 0.3, 0.1, 0.2]
    assert sign_flip_p(differences) == brute_force_p([1.0, 2.0, 3.0, 1.0, 2.0])
    assert sign_flip_p([d * 1e-300 for d in differences]) == sign_flip_p(differences)


@pytest.mark.slow
def test_sign_flip_takes_forty_pairs_and_refuses_more() -> None:
    assert sign_flip_p([1.0] * MOST_PAIRS) == smallest_p(MOST_PAIRS)
    with pytest.raises(ValueError, match="1 to 40"):
        sign_flip_p([1.0] * (MOST_PAIRS + 1))
    with pytest.raises(ValueError, match="got 0"):
        sign_flip_p([])


def test_fewest_pairs_that_reach_a_level() -> None:
    assert fewest_pairs(0.01) == 8
    assert smallest_p(7) >= 0.01 > smallest_p(8)
    assert fewest_pairs(0.01 / 6) == 11


def test_bca_of_the_whole_bootstrap_distribution() -> None:
    """With five values all 3,125 resamples are known; the interval of drawn resamples is near theirs."""
    sample = np.array([0.1, 0.4, 0.5, 0.9, 2.1])
    means = np.sort([fmean(draw) for draw in product(sample, repeat=5)])
    exact = interval_of(means, sample, 0.95)
    drawn = bca_interval(list(sample), resamples=100_000)
    assert np.allclose(drawn, exact, atol=0.015)
    # The formula of Efron and Tibshirani (1993, 14.10), written once more.
    normal, mean = NormalDist(), sample.mean()
    bias = normal.inv_cdf((np.sum(means < mean - 1e-12) + np.sum(means < mean + 1e-12)) / 2 / len(means))
    without = np.array([np.delete(sample, i).mean() for i in range(5)])
    distance = without.mean() - without
    a = np.sum(distance**3) / (6 * np.sum(distance**2) ** 1.5)
    for end, tail in zip(exact, (0.025, 0.975), strict=True):
        z = bias + normal.inv_cdf(tail)
        assert isclose(end, np.quantile(means, normal.cdf(bias + z / (1 - a * z))), rel_tol=0.01)
    assert exact[0] < 0.8 < exact[1]
    assert exact[1] - 0.8 > 0.8 - exact[0], "the interval of a sample with a long right tail reaches further right"


@pytest.mark.slow
def test_bca_covers_the_mean_of_normal_samples() -> None:
    rng = np.random.default_rng(1)
    covered = 0
    for _ in range(300):
        low, high = bca_interval(list(rng.normal(3.0, 1.0, 20)), resamples=500)
        covered += low < 3.0 < high
    assert 0.88 < covered / 300 < 0.98


def test_bca_of_equal_values_and_of_one_value() -> None:
    assert bca_interval([2.0, 2.0, 2.0]) == (2.0, 2.0)
    assert bca_interval([1.5]) == (1.5, 1.5)
    assert bca_interval([1.0, 2.0, 4.0]) == bca_interval([1.0, 2.0, 4.0])


def test_holm_of_known_p_values() -> None:
    assert np.allclose(holm([0.01, 0.04, 0.03]), [0.03, 0.06, 0.06])
    assert np.allclose(holm([0.5, 0.001, 0.4]), [0.8, 0.003, 0.8])
    assert holm([]) == [] and holm([0.02]) == [0.02]


def test_pairs_needed_grow_with_the_square_of_the_noise() -> None:
    # z(0.995) + z(0.8) = 3.4175: squared 11.679, plus z² / 2 = 3.317.
    assert pairs_needed(1.0, 0.01) == 15
    assert pairs_needed(-0.5, 0.01) == 51
    assert pairs_needed(10.0, 0.01) == 8


def test_sign_flip_has_the_power_that_the_protocol_states() -> None:
    """10 seeds find an effect of 1.5 standard deviations at p < 0.01 in 88 of 100 comparisons."""
    rng = np.random.default_rng(5)
    found = [sign_flip_p(list(rng.normal(1.5, 1.0, 10))) < 0.01 for _ in range(400)]
    assert 0.83 < fmean(found) < 0.93


def test_geometric_mean_and_its_interval() -> None:
    assert isclose(geometric_mean([1.0, 4.0]), 2.0)
    low, high = geometric_mean_interval([[2.0, 2.0], [2.0, 2.0]])
    assert isclose(low, 2.0) and isclose(high, 2.0)
    low, high = geometric_mean_interval([[1.0], [4.0]])
    assert isclose(low, 1.0) and isclose(high, 4.0), "a resample may have one of two tasks twice"
    rng = np.random.default_rng(0)
    many = [list(np.exp(rng.normal(0.5, 0.1, 10))) for _ in range(3)]
    low, high = geometric_mean_interval(many)
    assert low < geometric_mean([x for task in many for x in task]) < high < low * (1 + 8 * 0.1 / sqrt(10))


def test_probability_of_improvement() -> None:
    assert probability_of_improvement([[1.0, 2.0]], [[3.0, 1.0]]) == (1.0 + 0.5 + 1.0 + 0.0) / 4
    assert probability_of_improvement([[1.0], [inf]], [[2.0], [inf]]) == 0.75


def test_performance_profile() -> None:
    costs = [[100.0, 300.0, inf], [200.0, 100.0, inf]]
    assert performance_profile(costs, [1.0, 2.0, 3.0]) == [[1 / 3, 1 / 3, 2 / 3], [1 / 3, 2 / 3, 2 / 3]]
