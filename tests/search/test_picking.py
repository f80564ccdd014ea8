"""Policies by which a network of a front is handed over."""

import pytest

from germline.search.picking import BadPolicy, front, pick


def made(error: float, params: float, macs: float = 1.0) -> dict[str, float]:
    return {"validation_error": error, "params": params, "macs": macs}


FOUND = [made(9, 1e6, 5.0), made(3, 5e6), made(4, 2e6), made(4, 3e6), made(20, 1e6, 0.5), made(3, 6e6)]


def test_the_front_holds_what_nothing_dominates_best_error_first() -> None:
    assert front(FOUND) == [1, 2, 0]


@pytest.mark.parametrize(
    ("policy", "place"),
    [("knee", 2), ("error", 1), ("params", 0), ("macs", 4), ("under=2.5M", 2), ("under=1000k", 0), ("under=off", 1)],
)
def test_policies(policy: str, place: int) -> None:
    assert pick(FOUND, policy) == place


def test_the_fastest_of_equals_has_the_least_error() -> None:
    times = (3.0, 2.0, 2.0, 9.0, 2.0, 4.0)
    assert pick([{**one, "latency": time} for one, time in zip(FOUND, times, strict=True)], "latency") == 1


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        ("best", "expected a policy"),
        ("under=", "after under="),
        ("latency", "expected a run that was searched for latency"),
        ("under=10", "at most 10 parameters; the smallest found has 1,000,000"),
    ],
)
def test_a_policy_that_nothing_meets_says_so(policy: str, message: str) -> None:
    with pytest.raises(BadPolicy, match=message):
        pick(FOUND, policy)
