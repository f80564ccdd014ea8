"""Learning curves: a row for each complete block."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from invented_runs import BLOCK, InventedRun

from germline.db.store import Store
from germline.search.analysis.learning_curve import LastTest, Row, learning_curve_of, learning_curves
from germline.search.run import evolve, new_run

UNREVIEWED = {"population": BLOCK, "candidates": 0}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(str(tmp_path / "runs.db")) as store:
        yield store


def elites(store: Store, name: str) -> list[float | None]:
    return [row.elite for row in learning_curve_of(store, name).rows]


def test_frames_and_evaluations_are_counted_as_in_the_budget(store: Store) -> None:
    settings = ("population=10", "parents=3", "candidates=3", "review_episodes=4", "test_episodes=5", "hidden=4")
    new_run(store, "policy", births=35, settings=settings, name="real")
    blocks = [progress for progress in evolve(store, "real", executor="inline") if progress.complete is not None]
    curve = learning_curve_of(store, "real")
    totals = [(row.block, row.births, row.evaluations, row.frames) for row in curve.rows]
    assert totals == [(block.complete, block.births, block.evaluations, block.frames) for block in blocks[:3]]
    assert [row.best for row in curve.rows] == [block.best and block.best.fitness for block in blocks[:3]]
    assert curve.test is not None and curve.test.episodes == 5 and curve.rows[2].episodes == 4


def test_a_cache_hit_costs_no_evaluation_and_no_frames(store: Store) -> None:
    run = InventedRun(store, "cached", settings=UNREVIEWED).block(0, [1.0, 5.0, None, 3.0]).complete(0, 1)
    run.block(1, [2.0, 2.0, 8.0, 1.0], cached={3: 0}).complete(1, 6).end()
    first, second = learning_curve_of(store, "cached").rows
    assert first == Row(0, 4, 4, best=5.0, median=3.0, frames=40)
    assert second == Row(1, 8, 7, best=8.0, median=2.0, frames=70)


def test_the_elite_is_the_winner_of_a_block_with_its_review(store: Store) -> None:
    run = InventedRun(store, "reviewed").block(0, [1.0, 5.0, None, 3.0])
    run.score(1, 2.0, 1, 1).score(3, 4.0, 1, 1, spread=6.0).complete(0, 3).end()
    [row] = learning_curve_of(store, "reviewed").rows
    assert (row.elite, row.deviation, row.episodes) == (4.0, 6.0, 9)
    assert (row.evaluations, row.frames) == (6, 240)


def test_other_kinds_have_no_frames_and_no_elite(store: Store) -> None:
    run = InventedRun(store, "opt", "optimizer").block(0, [-3.0, -2.0, None, -4.0]).complete(0, 1).score(1, -1.0, 0, 1)
    run.block(1, [-5.0, -2.5, -1.0, -1.5]).complete(1, 6).end()
    curve = learning_curve_of(store, "opt")
    assert list(curve.rows) == [Row(0, 4, 5, best=-2.0, median=-3.0), Row(1, 8, 9, best=-1.0, median=-2.0)]
    assert curve.test is None


def test_a_block_that_was_cut_short_is_left_out(store: Store) -> None:
    run = (
        InventedRun(store, "cut").block(0, [0.0, 1.0, 2.0, 3.0]).score(3, 2.5, 1, 1).score(2, None, 1, 1).complete(0, 3)
    )
    run.block(1, [4.0, 1.0]).end("stopped")
    assert [row.block for row in learning_curve_of(store, "cut").rows] == [0]


def test_a_block_without_outcomes_is_left_out(store: Store) -> None:
    InventedRun(store, "unscored", settings=UNREVIEWED).block(0, [1.0, 2.0, 3.0, 4.0]).complete(0, 3).waiting(1).end(
        "stopped"
    )
    assert [row.block for row in learning_curve_of(store, "unscored").rows] == [0]


def test_a_block_whose_reviews_are_under_way_is_left_out(store: Store) -> None:
    run = InventedRun(store, "now").block(0, [1.0] * BLOCK).score(0, 1.0, 1, 1).score(1, 2.0, 1, 1).complete(0, 1)
    run.block(1, [1.0] * BLOCK).score(4, 3.0, 1, 2)
    assert elites(store, "now") == [2.0]
    run.score(5, 4.0, 1, 2).complete(1, 5)
    assert elites(store, "now") == [2.0, 4.0]


def test_a_winner_that_was_not_reviewed_after_a_block_is_not_its_elite(store: Store) -> None:
    run = InventedRun(store, "now").block(0, [1.0] * BLOCK).score(0, 1.0, 1, 1).complete(0, 0)
    run.block(1, [1.0] * BLOCK).score(4, None, 1, 2).score(0, None, 1, 2).complete(1, 0)
    assert elites(store, "now") == [1.0, None]


def test_an_only_block_that_was_cut_short_is_kept(store: Store) -> None:
    InventedRun(store, "short").block(0, [1.0, 2.0]).end()
    assert [row.best for row in learning_curve_of(store, "short").rows] == [2.0]


def test_a_run_in_which_all_births_failed_has_rows_without_a_fitness(store: Store) -> None:
    InventedRun(store, "failed").block(0, [None] * BLOCK).complete(0).block(1, [None] * BLOCK).complete(1).end("failed")
    rows = learning_curve_of(store, "failed").rows
    assert [(row.best, row.median, row.frames) for row in rows] == [(None, None, 40), (None, None, 80)]


def test_the_last_test_counts_and_follows_its_block(store: Store) -> None:
    run = InventedRun(store, "twice", settings=UNREVIEWED)
    for number in range(3):
        run.block(number, [1.0] * BLOCK).complete(number, 0)
    run.score(0, 50.0, 2, 1).score(1, 40.0, 2, 2).score(2, None, 2, 3).end()
    assert learning_curve_of(store, "twice").test == LastTest(1, 40.0, 3.0, 9)


def test_curves_come_in_the_order_of_their_names(store: Store) -> None:
    for name in ("a", "b"):
        InventedRun(store, name, "optimizer").block(0, [1.0] * BLOCK).end()
    assert [curve.run.name for curve in learning_curves(store, ["b", "a"])] == ["b", "a"]


def test_a_run_whose_settings_are_unknown_has_the_blocks_with_outcomes(store: Store) -> None:
    """As in a database that was made before winners were recorded, by rows that do not replay."""
    run = InventedRun(store, "unknown", "optimizer").block(0, [-3.0, -2.0, None, -4.0])
    run.block(1, [-1.0, -5.0, -2.0, -6.0]).block(2, [-1.0, -2.0]).end()
    rows = learning_curve_of(store, "unknown").rows
    assert rows == [Row(0, 4, 4, best=-2.0, median=-3.0), Row(1, 8, 8, best=-1.0, median=-3.5)]
