"""Which recorded score of a policy counts, and how precise it is.

A policy is scored at three rungs. Its fitness (rung 0) comes from few training episodes. Reviews (rung 1) decide which
policy becomes the elite. A test (rung 2) selects nothing, so only its mean return is unbiased: the policy with the
best score in a selection was also lucky in it.
"""

from collections.abc import Sequence

from germline.db.records import EvaluationRecord
from germline.search.analysis.statistics import half_width_or_none

SOURCES = ("fitness", "review", "test")
"""Names of the three scores, by rung."""


def source(evaluation: EvaluationRecord) -> str:
    """Returns `fitness`, `review` or `test`. Rungs above 2 are tests too."""
    return SOURCES[min(evaluation.rung, len(SOURCES) - 1)]


def is_test(evaluation: EvaluationRecord) -> bool:
    """True for the score of a test, which was not used to select policies."""
    return source(evaluation) == "test"


def decisive_score(evaluations: Sequence[EvaluationRecord]) -> EvaluationRecord | None:
    """Returns the most reliable score of a policy: its last test, else its last review, else its fitness.

    Args:
        evaluations: of one policy on one task, as `Store.reviews` returns them. Failed evaluations are ignored.

    Returns:
        None if no evaluation has a fitness.
    """
    scored = [evaluation for evaluation in evaluations if evaluation.fitness is not None]
    return max(scored, key=lambda evaluation: (evaluation.rung, evaluation.seed), default=None)


def failed_last(evaluations: Sequence[EvaluationRecord]) -> EvaluationRecord | None:
    """Returns the last test or, without tests, the last review or else the fitness, if it failed; None if it is ok."""
    last = max(evaluations, key=lambda evaluation: (evaluation.rung, evaluation.seed), default=None)
    return None if last is None or last.fitness is not None else last


def confidence_half_width(evaluation: EvaluationRecord) -> float | None:
    """Returns the half width of the 95 % confidence interval of a test's mean return.

    None for a test of one episode, and for a fitness or a review: selection biases their means by more than chance
    explains, so an interval would mislead.
    """
    if not is_test(evaluation):
        return None
    return half_width_or_none(evaluation.measures.get("deviation"), evaluation.measures.get("episodes"))


def last_per_rung(evaluations: Sequence[EvaluationRecord]) -> list[EvaluationRecord]:
    """Returns the last evaluation of each task and rung, with the highest seed, in the given order.

    A run may review a policy hundreds of times.
    """
    ordered = sorted(evaluations, key=lambda evaluation: evaluation.seed)
    last = {(evaluation.task, evaluation.rung): evaluation for evaluation in ordered}
    return [evaluation for evaluation in evaluations if last[evaluation.task, evaluation.rung] is evaluation]


def mean_behaviour(evaluation: EvaluationRecord) -> list[float]:
    """Returns the behaviour descriptor, averaged over the episodes; empty if the task reports none."""
    descriptor: list[float] = []
    while (value := evaluation.measures.get(f"behaviour_{len(descriptor)}")) is not None:
        descriptor.append(value)
    return descriptor
