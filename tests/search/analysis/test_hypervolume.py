"""Hypervolumes in a box that runs of one task share."""

from collections.abc import Iterator, Sequence
from math import inf, nan
from pathlib import Path

import numpy as np
import pytest
from invented_runs import InventedRun

from germline.db.store import Store
from germline.search.analysis.hypervolume import (
    ScoredPoints,
    hypervolume,
    hypervolume_by_block,
    objectives_of,
    reference_point,
    reference_points,
    scored_points,
)
from germline.search.analysis.learning_curve import learning_curve_of, learning_curves

NAMES = ("validation_error", "params")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(str(tmp_path / "runs.db")) as store:
        yield store


def points(values: Sequence[Sequence[float]], blocks: Sequence[int] | None = None, task: str = "cells") -> ScoredPoints:
    array = np.array(values, float)
    return ScoredPoints(task, NAMES[: array.shape[1]], np.array(blocks or [0] * len(array)), array)


def cells(store: Store, name: str, *blocks: Sequence[tuple[float, float]]) -> InventedRun:
    """A run of architectures with these errors and numbers of parameters, block by block."""
    run = InventedRun(store, name, "architecture", {"objectives": list(NAMES)})
    for number, block in enumerate(blocks):
        run.front(number, [dict(zip(NAMES, values, strict=True)) for values in block]).complete(number, 0)
    return run.end()


def test_the_box_reaches_to_100_percent_and_the_largest_network_of_all_runs() -> None:
    small, large = points([[20.0, 100.0], [10.0, 300.0]]), points([[90.0, 400.0]])
    assert reference_point([small, large]) == {"validation_error": 100.0, "params": 400.0}
    elsewhere = points([[5.0, 7.0]], task="elsewhere")
    shared, alone = {"validation_error": 100.0, "params": 400.0}, {"validation_error": 100.0, "params": 7.0}
    assert reference_points([small, None, elsewhere, large]) == [shared, None, alone, shared]


def test_the_hypervolume_is_the_share_of_the_box_that_the_front_dominates() -> None:
    reference = {"validation_error": 100.0, "params": 400.0}
    assert hypervolume(np.array([[50.0, 100.0]]), reference) == pytest.approx(0.5 * 0.75)
    both = np.array([[50.0, 100.0], [25.0, 200.0], [60.0, 300.0]])
    assert hypervolume(both, reference) == pytest.approx(0.5 * 0.75 + 0.25 * 0.5)
    assert hypervolume(np.array([[0.0, 0.0]]), reference) == pytest.approx(1.0)
    assert hypervolume(np.array([[50.0, 400.0], [100.0, 1.0]]), reference) == 0.0
    assert hypervolume(np.empty((0, 2)), reference) == hypervolume(both, {**reference, "params": 0.0}) == 0.0


def test_the_hypervolume_by_block_is_that_of_all_births_so_far() -> None:
    rng = np.random.default_rng(1)
    run = ScoredPoints("cells", (*NAMES, "macs"), np.repeat(np.arange(10), 6), rng.random((60, 3)) * 100)
    reference, blocks = reference_point([run]), [0, 1, 2, 5, 9]
    volumes = hypervolume_by_block(run, reference, blocks)
    assert volumes == pytest.approx([hypervolume(run.values[: 6 * (block + 1)], reference) for block in blocks])
    assert volumes == sorted(volumes) and volumes[0] < volumes[-1]


def test_individuals_without_a_finite_value_of_each_objective_have_no_point(store: Store) -> None:
    run = InventedRun(store, "odd", "architecture", {"objectives": list(NAMES)})
    run.front(
        0, [{"validation_error": 5.0, "params": value} for value in (inf, nan, 3.0)] + [{"validation_error": 1.0}]
    )
    found = scored_points(store, "odd")
    assert found is not None and found.values.tolist() == [[5.0, 3.0]]


def test_a_run_without_an_outcome_has_a_hypervolume_of_0(store: Store) -> None:
    InventedRun(store, "new", "architecture", {"objectives": list(NAMES)}).waiting(0)
    found = scored_points(store, "new")
    assert found is not None and found.values.shape == (0, 2)
    assert hypervolume(found.values, reference_point([found])) == 0.0


def test_a_run_with_a_single_objective_has_none(store: Store) -> None:
    run = InventedRun(store, "single", "architecture", {"objectives": ["validation_error"]})
    run.front(0, [{"validation_error": 5.0, "params": 3.0}] * 4).end()
    assert objectives_of(run.run) == () and scored_points(store, "single") is None
    curve = learning_curve_of(store, "single")
    assert curve.reference is None and curve.rows[0].hypervolume is None


def test_curves_of_one_task_share_their_reference_point(store: Store) -> None:
    cells(store, "first", [(50.0, 100.0), (90.0, 200.0)], [(25.0, 100.0), (99.0, 50.0)])
    cells(store, "second", [(50.0, 400.0), (50.0, 200.0)])
    first, second = learning_curves(store, ["first", "second"])
    assert first.reference == second.reference == {"validation_error": 100.0, "params": 400.0}
    assert [row.hypervolume for row in first.rows] == pytest.approx([0.375, 0.75 * 0.75 + 0.01 * 0.125])
    assert [row.hypervolume for row in second.rows] == pytest.approx([0.25])
    assert learning_curve_of(store, "first").reference == {"validation_error": 100.0, "params": 200.0}


def test_a_cache_hit_adds_nothing_to_a_front(store: Store) -> None:
    run = InventedRun(store, "cached", "architecture", {"objectives": list(NAMES)})
    run.front(0, [{"validation_error": 50.0, "params": 100.0}, {"validation_error": 90.0, "params": 400.0}])
    run.complete(0, 0).waiting(1, 2, cached={2: 0, 3: 1}).complete(1, 0).end()
    assert [row.hypervolume for row in learning_curve_of(store, "cached").rows] == [0.375, 0.375]
