"""What the scores of policies are worth, in words and numbers."""

from math import exp, lgamma, log, pi

import numpy as np
import pytest

from germline.cli.policy_text import STUDENT_95, half_width, interval, student, told, worth
from germline.db.records import EvaluationRecord


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
    assert within(student(freedom), freedom) == pytest.approx(0.95, abs=5e-5)


def test_of_few_values_the_interval_is_wider_than_a_normal_one() -> None:
    assert half_width(6.0, 9) == pytest.approx(2.306 * 6.0 / 3.0)
    assert half_width(1.0, 2) == pytest.approx(12.706 / 2**0.5)
    assert half_width(1.0, 10_000) == pytest.approx(0.0196, rel=1e-3)


def test_only_a_test_has_an_interval_since_a_review_selects() -> None:
    fitness, review, test = evaluation(0, 0, 10.0), evaluation(1, 2, 20.0), evaluation(2, 2, 15.0)
    assert interval(fitness) is None and interval(review) is None
    assert interval(test) == pytest.approx(4.612)
    assert told(review) == "20.0000 over 9 episodes used for selection"
    assert told(test) == "15.0000 ± 4.6120 over 9 episodes"
    assert worth([fitness, review, test]) is test and worth([fitness, review]) is review
