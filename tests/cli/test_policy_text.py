"""Networks in a line, and what the scores of policies are worth, in words and numbers."""

from itertools import permutations
from math import exp, lgamma, log, pi

import numpy as np
import pytest

from germline.cli.confidence import STUDENT_95, half_width, student_95
from germline.cli.genome_diff import change_text, changes
from germline.cli.policy_scores import confidence_half_width, decisive_score, mean_return_text, reviews_text
from germline.cli.presenters.policy import network_text
from germline.db.records import EvaluationRecord
from germline.programs.policy.genome import Policy, write
from germline.programs.policy.network import Box, Network, Normalisation


def continuous(*bounds: tuple[float, float]) -> Box:
    return Box(tuple(low for low, _ in bounds), tuple(high for _, high in bounds))


SINGLE = float(np.float32(0.4))
"""A bound in single precision: 0.4000000059604645."""

NETWORKS = {
    "mlp 3-8-1 tanh to [-2, 2]": Network("mlp", (3,), continuous((-2, 2)), (8,)),
    "mlp 3-8-1 relu to [-2, 2]": Network("mlp", (3,), continuous((-2, 2)), (8,), "relu"),
    "mlp 3-8-1 tanh to [-1, 1]": Network("mlp", (3,), continuous((-1, 1)), (8,)),
    "mlp 3-8-1 tanh to [-2, 2], normalised": Network(
        "mlp", (3,), continuous((-2, 2)), (8,), normalisation=Normalisation((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
    ),
    "mlp 3-2 linear": Network("mlp", (3,), 2),
    "mlp 3-8-2 tanh": Network("mlp", (3,), 2, (8,)),
    "mlp 3-8-2 tanh to [-1, 1]^2": Network("mlp", (3,), continuous((-1, 1), (-1, 1)), (8,)),
    "mlp 3-8-3 tanh to [0, 1]×[-0.4, 0.4]^2": Network(
        "mlp", (3,), continuous((0, 1), (-SINGLE, SINGLE), (-SINGLE, SINGLE)), (8,)
    ),
    "conv 4×84×84-18 same": Network("conv", (4, 84, 84), 18),
    "conv 4×84×84-18 valid": Network("conv", (4, 84, 84), 18, padding="valid"),
}


def test_a_network_is_told_whole_in_a_line() -> None:
    assert {network_text(one): one for one in NETWORKS.values()} == NETWORKS


@pytest.mark.parametrize(("before", "after"), list(permutations(NETWORKS, 2)))
def test_another_network_is_a_changed_line(before: str, after: str) -> None:
    [change] = changes(*(write(Policy(NETWORKS[one], 1)) for one in (before, after)))
    assert change.kind == "changed"
    shown = change_text(change).plain
    assert f"network {before}" in shown and f"network {after}" in shown


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (Normalisation((0.0, 0.0), (1.0, 1.0)), Normalisation((0.0, 0.0), (1.0, 1.5))),
        (Normalisation((0.0, 0.0), (1.0, 1.0)), Normalisation((0.0, 1e-9), (1.0, 1.0))),
    ],
)
def test_another_normalisation_is_a_changed_line_that_looks_it(before: Normalisation, after: Normalisation) -> None:
    both = [Policy(Network("mlp", (2,), 2, (4,), normalisation=one), 1) for one in (before, after)]
    [change] = changes(*map(write, both))
    assert change.before and change.after and change.before.text != change.after.text
    assert changes(write(both[0]), write(both[0])) == []


def test_many_different_bounds_are_told_by_the_widest_and_a_hash() -> None:
    boxes = [continuous((-1, 1), (-2, 2), (-3, last), (0, 1)) for last in (3, 4)]
    first, second = (network_text(Network("mlp", (3,), one, (8,))) for one in boxes)
    assert first.startswith("mlp 3-8-4 tanh to [-3, 3]^4 #") and second.startswith("mlp 3-8-4 tanh to [-3, 4]^4 #")


def test_a_bound_that_differs_less_than_is_shown_is_a_change_too() -> None:
    boxes = [continuous((-1, 1)), continuous((-1, 1 + 1e-12))]
    [change] = changes(*(write(Policy(Network("mlp", (3,), one, (8,)), 1)) for one in boxes))
    assert change.kind == "changed"


def evaluation(rung: int, seed: int, fitness: float) -> EvaluationRecord:
    measures = {"episodes": 9.0, "deviation": 6.0, "steps": 90.0}
    return EvaluationRecord(1, "abc", "task", rung, seed, "ok", fitness, {"return": fitness}, measures, 1.0, "me", None)


def within(width: float, freedom: int) -> float:
    """How much of Student's t distribution lies within so much of 0, by Simpson's rule."""
    x = np.linspace(0.0, width, 20_001)
    scale = exp(lgamma((freedom + 1) / 2) - lgamma(freedom / 2) - log(freedom * pi) / 2)
    y = scale * (1 + x**2 / freedom) ** (-(freedom + 1) / 2)
    return float(2 * (x[1] / 3) * (y[0] + 4 * y[1:-1:2].sum() + 2 * y[2:-1:2].sum() + y[-1]))


@pytest.mark.parametrize("freedom", [*range(1, len(STUDENT_95) + 3), 40, 60, 120, 199, 100_000])
def test_an_interval_holds_95_percent_of_students_distribution(freedom: int) -> None:
    assert within(student_95(freedom), freedom) == pytest.approx(0.95, abs=5e-5)


def test_of_few_values_the_interval_is_wider_than_a_normal_one() -> None:
    assert half_width(6.0, 9) == pytest.approx(2.306 * 6.0 / 3.0)
    assert half_width(1.0, 2) == pytest.approx(12.706 / 2**0.5)
    assert half_width(1.0, 10_000) == pytest.approx(0.0196, rel=1e-3)


def test_only_a_test_has_an_interval_since_a_review_selects() -> None:
    fitness, review, test = evaluation(0, 0, 10.0), evaluation(1, 2, 20.0), evaluation(2, 2, 15.0)
    assert confidence_half_width(fitness) is None and confidence_half_width(review) is None
    assert confidence_half_width(test) == pytest.approx(4.612)
    assert mean_return_text(review) == "20.0000 over 9 episodes used for selection"
    assert mean_return_text(test) == "15.0000 ± 4.6120 over 9 episodes"
    assert decisive_score([fitness, review, test]) is test and decisive_score([fitness, review]) is review


@pytest.mark.parametrize(
    ("seeds", "expected"),
    [
        ([], ""),
        ([2], ""),
        ([0], ""),
        ([3, 1, 2], "reviewed 3 times, after generations 0 to 2"),
        ([0, 1, 2, 3], "reviewed 4 times, before generation 0 was whole, and after generations 0 to 2"),
        ([0, 3], "reviewed 2 times, before generation 0 was whole, and after generation 2"),
    ],
)
def test_the_rounds_of_reviews_are_told_by_their_generations(seeds: list[int], expected: str) -> None:
    assert reviews_text(
        [evaluation(0, 0, 1.0), *(evaluation(1, seed, 1.0) for seed in seeds), evaluation(2, 3, 1.0)]
    ) == (expected)
