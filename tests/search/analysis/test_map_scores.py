"""Scores and plots of maps: as the search had them, in the curve and for runs of other strategies."""

from collections.abc import Iterator
from dataclasses import replace
from math import fsum
from pathlib import Path

import pytest
from invented_runs import BLOCK, InventedRun

from germline.db.store import Store
from germline.search.analysis.learning_curve import complete_blocks, learning_curve_of, learning_curves
from germline.search.analysis.map_plot import NoMap, map_plot
from germline.search.analysis.map_scores import layout_of, mapped_run, qd_offsets, run_on_map
from germline.search.behaviour_map import BadLayout
from germline.search.fold import fold_block
from germline.search.imports import strategy_of
from germline.search.journal import recorded_outcomes
from germline.search.kinds import KINDS
from germline.search.run import evolve, new_run
from germline.search.winner import winners

SETTINGS = ["population=10", "cells=6", "hidden=4", "steps=80", "candidates=0", "test_episodes=0"]
BIRTHS = 45


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Runs of MAP-Elites, one with an offset of its own, and of novelty. Tests do not write to it."""
    with Store(str(tmp_path_factory.mktemp("maps") / "runs.db")) as store:
        runs = {"a": ("strategy=map-elites",), "b": ("strategy=map-elites", "sigma=0.5"), "c": ("strategy=novelty",)}
        runs["d"] = ("strategy=map-elites", "qd_offset=-300")
        for seed, (name, settings) in enumerate(runs.items()):
            new_run(
                store, "policy", task="hard-maze", settings=[*SETTINGS, *settings], births=BIRTHS, seed=seed, name=name
            )
            for _ in evolve(store, name, executor="inline"):
                pass
        yield store


@pytest.mark.slow
def test_the_map_of_the_records_is_the_map_of_the_search_after_each_block(store: Store) -> None:
    run, kind = store.run("a"), KINDS["policy"]
    settings = kind.from_config(run.config["settings"])
    strategy = strategy_of(kind, settings, kind.space(settings), run.config)
    outcomes, individuals = dict(recorded_outcomes(store, run)), list(store.individuals(run.id))
    mapped = mapped_run(store, run, complete_blocks(store.scores("a", ""), winners(store, "a")))
    assert mapped is not None
    state, rows = strategy.init(), learning_curve_of(store, "a").rows
    for number, known in enumerate(mapped.maps()):
        block = fold_block(strategy, state, individuals[10 * number : 10 * number + 10], outcomes)
        with pytest.raises(StopIteration) as end:
            next(block)
        state = end.value.value
        occupants = state.behaviours.occupants
        assert [(each.cell, each.individual, each.fitness) for each in known.occupants] == [
            (each.cell, each.individual.birth, each.fitness) for each in occupants
        ]
        assert rows[number].coverage == len(occupants) / 36
        assert rows[number].best == max(each.fitness for each in occupants)
    assert len(rows) == number + 1 == 4, "the block that the budget cut short is left out"


@pytest.mark.slow
def test_runs_share_the_offset_of_the_lowest_fitness_unless_it_is_set(store: Store) -> None:
    lowest = {
        name: min(each.fitness for each in store.scores(name, "").births[:40] if each.fitness is not None)
        for name in "abd"
    }
    a, b, c, d = learning_curves(store, ["a", "b", "c", "d"])
    assert a.qd_offset == b.qd_offset == min(lowest["a"], lowest["b"])
    assert learning_curve_of(store, "a").qd_offset == lowest["a"] and d.qd_offset == -300.0
    assert c.qd_offset is None and {(row.coverage, row.qd_score) for row in c.rows} == {(None, None)}
    for curve in (a, b, d):
        scores = [row.qd_score or 0.0 for row in curve.rows]
        assert scores == sorted(scores) and scores[0] > 0, "a cell never gets worse"


@pytest.mark.slow
def test_a_run_of_another_strategy_can_be_placed_on_a_map(store: Store) -> None:
    layout = layout_of(store.run("a"))
    assert layout is not None and layout_of(store.run("c")) is None
    blocks = complete_blocks(store.scores("c", ""), winners(store, "c"))
    placed = run_on_map(store, store.run("c"), blocks, layout)
    assert 0.0 < placed.coverage(placed.last_map()) <= 1.0 and len(placed.behaviours) == BIRTHS
    assert mapped_run(store, store.run("c"), blocks) is None


@pytest.mark.slow
def test_a_plot_has_the_map_after_the_last_complete_block(store: Store) -> None:
    plot = map_plot(store, store.run("a"), ("east", "north"))
    [*_, last] = learning_curve_of(store, "a").rows
    assert (plot.block, plot.coverage, plot.score) == (3, last.coverage, last.qd_score)
    assert plot.names == ("east", "north") and plot.bounds == ((0.0, 200.0), (0.0, 200.0))
    assert plot.score == fsum(each.fitness - plot.offset for each in plot.occupants)
    assert plot.winner is not None and set(plot.behaviours) == {each.individual for each in plot.occupants}
    assert map_plot(store, store.run("a"), ("east",)).names == ("east", "behaviour 1")
    with pytest.raises(NoMap, match="expected a run with strategy=map-elites, got c"):
        map_plot(store, store.run("c"))


def test_a_run_without_a_complete_block_or_with_a_damaged_map_is_refused_in_a_line(tmp_path: Path) -> None:
    layout = {"behaviours": [0], "bounds": None, "grid": [4]}
    settings = {"population": BLOCK, "strategy": "map-elites", "map_data": layout}
    with Store(str(tmp_path / "runs.db")) as store:
        run = InventedRun(store, "run", settings=settings)
        with pytest.raises(NoMap, match="nothing in run has a cell of the map yet; wait for the first block"):
            map_plot(store, run.run)
        run.block(0, [1.0, None, 3.0, None]).complete(0, 2).end()
        with pytest.raises(NoMap, match="nothing in run has a cell of the map yet"):
            map_plot(store, run.run)  # its outcomes have no behaviour
        [row] = learning_curve_of(store, "run").rows
        assert (row.coverage, row.qd_score) == (0.0, 0.0)
        damaged = replace(run.run, config={"settings": {**settings, "map_data": {"grid": "x"}}})
        with pytest.raises(BadLayout, match="expected behaviours and cells of a map"):
            layout_of(damaged)
        assert qd_offsets([None]) == [None]
