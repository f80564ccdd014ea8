"""Which score of a policy counts."""

import pytest

from germline.db.records import EvaluationRecord
from germline.search.analysis.policy_scores import (
    confidence_half_width,
    decisive_score,
    is_test,
    last_per_rung,
    mean_behaviour,
    source,
)


def evaluation(rung: int, seed: int, fitness: float | None, task: str = "task", **measures: float) -> EvaluationRecord:
    measures = {"episodes": 9.0, "deviation": 6.0, **measures}
    status = "crashed" if fitness is None else "ok"
    return EvaluationRecord(1, "abc", task, rung, seed, status, fitness, {}, measures, 1.0, "me", None)


FITNESS, REVIEW, TEST = evaluation(0, 0, 10.0), evaluation(1, 2, 20.0), evaluation(2, 2, 15.0)


def test_a_test_counts_more_than_a_review_and_a_review_more_than_the_fitness() -> None:
    assert decisive_score([FITNESS, REVIEW, TEST]) is TEST
    assert decisive_score([FITNESS, REVIEW]) is REVIEW
    assert decisive_score([evaluation(1, 1, 99.0), REVIEW]) is REVIEW
    assert decisive_score([FITNESS, evaluation(2, 2, None)]) is FITNESS
    assert decisive_score([evaluation(0, 0, None)]) is None and decisive_score([]) is None


def test_the_rung_of_a_score_is_its_source() -> None:
    scores = (FITNESS, REVIEW, TEST, evaluation(3, 0, 1.0))
    assert [source(score) for score in scores] == ["fitness", "review", "test", "test"]
    assert [is_test(score) for score in scores] == [False, False, True, True]


def test_only_a_test_has_an_interval_since_a_review_selects() -> None:
    assert confidence_half_width(FITNESS) is None and confidence_half_width(REVIEW) is None
    assert confidence_half_width(TEST) == pytest.approx(4.612)
    assert confidence_half_width(evaluation(2, 2, 15.0, episodes=1.0)) is None


def test_the_last_evaluation_of_each_rung_has_the_highest_seed() -> None:
    elsewhere = evaluation(0, 0, 5.0, task="elsewhere")
    assert last_per_rung([FITNESS, evaluation(1, 1, 30.0), REVIEW, TEST, elsewhere]) == [
        FITNESS,
        REVIEW,
        TEST,
        elsewhere,
    ]


def test_the_mean_behaviour_ends_at_the_first_number_that_is_missing() -> None:
    assert mean_behaviour(FITNESS) == []
    assert mean_behaviour(evaluation(0, 0, 1.0, behaviour_0=0.5, behaviour_1=2.0, behaviour_3=9.0)) == [0.5, 2.0]
