"""Criteria that pick a network of a front."""

import pytest

from germline.search.picking import BadCriterion, front, pick


def network(error: float, params: float, macs: float = 1.0) -> dict[str, float]:
    return {"validation_error": error, "params": params, "macs": macs}


NETWORKS = [
    network(9, 1e6, 5.0),
    network(3, 5e6),
    network(4, 2e6),
    network(4, 3e6),
    network(20, 1e6, 0.5),
    network(3, 6e6),
]


def test_the_front_holds_what_nothing_dominates_best_error_first() -> None:
    assert front(NETWORKS) == [1, 2, 0]


@pytest.mark.parametrize(
    ("criterion", "place"),
    [("knee", 2), ("error", 1), ("params", 0), ("macs", 4), ("under=2.5M", 2), ("under=1000k", 0), ("under=off", 1)],
)
def test_each_criterion_picks_its_network(criterion: str, place: int) -> None:
    assert pick(NETWORKS, criterion) == place


def test_the_fastest_of_equals_has_the_least_error() -> None:
    times = (3.0, 2.0, 2.0, 9.0, 2.0, 4.0)
    assert pick([{**network, "latency": time} for network, time in zip(NETWORKS, times, strict=True)], "latency") == 1


@pytest.mark.parametrize(
    ("criterion", "message"),
    [
        ("best", "expected a criterion"),
        ("under=", "after under="),
        ("latency", "expected a run that was searched for latency"),
        ("under=10", "at most 10 parameters; the smallest network has 1,000,000"),
    ],
)
def test_a_criterion_that_no_individual_meets_is_an_error(criterion: str, message: str) -> None:
    with pytest.raises(BadCriterion, match=message):
        pick(NETWORKS, criterion)


@pytest.mark.parametrize(("criterion", "place"), [("knee", 2), ("params", 0), ("macs", 1), ("under=1000k", 0)])
def test_a_network_that_is_no_better_than_always_one_class_is_not_picked(criterion: str, place: int) -> None:
    assert pick([*NETWORKS, network(20, 1, 0.1)], criterion, chance_error=20.0) == place
    with pytest.raises(BadCriterion, match="fewer errors than always answering one class \\(3 %\\)"):
        pick(NETWORKS, criterion, chance_error=3.0)
