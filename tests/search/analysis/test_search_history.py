"""The course of a run of optimizers."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from invented_runs import InventedRun

from germline.db.store import Store
from germline.search.analysis.search_history import review_gains, search_history, shown_range


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(str(tmp_path / "runs.db")) as store:
        yield store


def test_the_course_has_births_the_best_so_far_and_reviews(store: Store) -> None:
    run = InventedRun(store, "opt", "optimizer").block(0, [-3.0, -2.0, None]).score(0, -3.5, 0, 1).score(0, -1.5, 1)
    run.score(1, -2.5, 0, 1).score(1, None, 1).complete(0, 1)
    run.block(1, [-2.5, -9.0, -1.0], cached={1: 0}).score(5, -2.0, 0, 1).score(5, -1.0, 1).complete(1, 5).end()
    history = search_history(store, run.run, 5)
    assert (history.total, history.failed) == (6, 1)
    assert history.births == [0, 1, 3, 5] and history.fitness == [-3.0, -2.0, -2.5, -1.0], "without the cache hit"
    assert history.best == [(0, -3.0), (1, -2.0), (5, -1.0)]
    assert [step.birth for step in history.line] == [5] and history.operators == []
    assert review_gains(history) == {
        "search": [(0, 0.0), (1, 1.0), (5, 2.0)],
        "fresh seeds": [(0, 0.0), (1, 1.0), (5, 1.5)],
        "rung 1": [(0, 0.0), (5, 0.5)],
    }


def test_without_a_reviewed_start_program_there_are_no_gains(store: Store) -> None:
    run = InventedRun(store, "opt", "optimizer").block(0, [-3.0, -2.0]).score(1, -1.0, 0, 1).complete(0, 1).end()
    assert review_gains(search_history(store, run.run, 1)) == {}


def test_useless_programs_do_not_decide_what_is_shown(store: Store) -> None:
    run = InventedRun(store, "opt", "optimizer").block(0, [-4.0, -2.0, -1e30, -5.0, -7.0, *[-3.0] * 20])
    assert shown_range(search_history(store, run.complete(0, 1).run, 1)) == (-6.0, -2.0), "as much again as the best"
    all_near = InventedRun(store, "near", "optimizer").block(0, [-4.0, -2.0, -2.0]).complete(0, 1)
    assert shown_range(search_history(store, all_near.run, 1)) == (-4.0, -2.0)
    failed = InventedRun(store, "failed", "optimizer").block(0, [None, None])
    assert shown_range(search_history(store, failed.run, 1)) == (0.0, 0.0)
