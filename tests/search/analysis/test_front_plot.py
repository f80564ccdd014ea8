"""The front of a run with several objectives as points."""

from collections.abc import Iterator
from math import inf
from pathlib import Path

import pytest
from invented_runs import InventedRun

from germline.db.store import Store
from germline.search.analysis.front_plot import NoFront, front_plot, staircase

TWO = {"objectives": ["validation_error", "params"]}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(str(tmp_path / "runs.db")) as store:
        yield store


@pytest.mark.slow
def test_the_front_is_what_nothing_dominates(store: Store) -> None:
    values = [(50.0, 100.0), (20.0, 400.0), (60.0, 400.0), (30.0, 100.0), (10.0, inf)]
    run = InventedRun(store, "cells", "architecture", TWO)
    run.front(0, [{"validation_error": error, "params": params} for error, params in values]).complete(0, 3)
    line = [store.individual("cells", birth) for birth in (2, 4, 3)]
    plot = front_plot(run.run, store.top("cells"), line)
    assert plot.names == ("validation_error", "params")
    assert sorted(plot.points) == sorted(values[:4]), "without what is not finite"
    assert plot.front == [(20.0, 400.0), (30.0, 100.0)] and plot.line == [values[2], values[3]]


def test_a_run_without_a_front_is_refused(store: Store) -> None:
    single = InventedRun(store, "single", "architecture", {}).front(0, [{"validation_error": 1.0}])
    with pytest.raises(NoFront, match="expected a run with several objectives for a front, got single"):
        front_plot(single.run, store.top("single"), [])
    failed = InventedRun(store, "failed", "architecture", TWO).block(0, [None])
    with pytest.raises(NoFront, match="nothing in failed has a value of each objective yet"):
        front_plot(failed.run, store.top("failed"), [])


def test_steps_have_their_corners_at_points_that_are_better_in_one() -> None:
    assert staircase([(3, 1), (1, 3), (2, 3), (2, 2), (3, 2)]) == [(1, 3), (2, 2), (3, 1)]
    assert staircase([]) == []
