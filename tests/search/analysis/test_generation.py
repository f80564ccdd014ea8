"""A generation of policies as a scatter plot."""

from collections.abc import Iterator
from math import inf, nan
from pathlib import Path

import pytest
from invented_runs import BLOCK, InventedRun

from germline.db.records import EvaluationRecord
from germline.db.store import Store
from germline.evaluators.policy.environments.hard_maze import HardMaze
from germline.search.analysis.generation import (
    NoGeneration,
    behaviour_names_of,
    descriptor_axes,
    generation_of,
    scatter,
    walls_of,
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(str(tmp_path / "runs.db")) as store:
        yield store


def outcome(*behaviour: float, fitness: float = 1.0, **measures: float) -> EvaluationRecord:
    measures |= {f"behaviour_{i}": value for i, value in enumerate(behaviour)}
    return EvaluationRecord(0, "f", "t", 0, 0, "ok", fitness, {}, measures, 0.0, "", None)


def test_the_axes_are_the_two_numbers_of_behaviour_that_vary_most() -> None:
    axes = descriptor_axes([outcome(0, 9, 1), outcome(5, 9, 2), outcome(9, 9, 3)])
    assert (axes.x, axes.y, axes.descriptor_length) == ("behaviour 0", "behaviour 2", 3)
    assert axes.positions == [(0, 1), (5, 2), (9, 3)]


def test_with_less_behaviour_the_return_is_on_the_y_axis() -> None:
    axes = descriptor_axes([outcome(4, fitness=7.0)])
    assert (axes.x, axes.y, axes.positions) == ("behaviour 0", "return", [(4, 7.0)])
    axes = descriptor_axes([outcome(fitness=7.0, steps=30.0, episodes=2.0), outcome(fitness=8.0)])
    assert (axes.x, axes.y) == ("decisions in an episode", "return")
    assert axes.positions == [(15.0, 7.0), (0.0, 8.0)] and axes.descriptor_length == 0


def test_behaviour_that_is_not_finite_does_not_decide_the_axes() -> None:
    axes = descriptor_axes([outcome(0, 1, nan), outcome(0, 2, inf), outcome(0, 3, 4)])
    assert (axes.x, axes.y, axes.positions[2]) == ("behaviour 0", "behaviour 1", (0, 3))


def test_axes_have_the_names_that_the_task_declares() -> None:
    outcomes = [outcome(0, 9, 1), outcome(5, 9, 2), outcome(9, 9, 3)]
    axes = descriptor_axes(outcomes, ("depth", "colour", "noise"))
    assert (axes.x, axes.y) == ("depth", "noise")
    assert descriptor_axes([outcome(4)], ("depth",)).x == "depth"
    wrong = descriptor_axes(outcomes, ("depth", "colour"))
    assert (wrong.x, wrong.y) == ("behaviour 0", "behaviour 2"), "not as many names as numbers"


def test_a_task_is_asked_for_names_unless_a_database_would_choose_code_so(tmp_path: Path) -> None:
    proof, file = tmp_path / "proof", tmp_path / "task.py"
    file.write_text(f"open({str(proof)!r}, 'w')")
    assert behaviour_names_of("hard-maze") == ("final x position", "final y position")
    assert behaviour_names_of("gym:CartPole-v1")[2] == "final pole angle"
    for task in (f"{file}:Task", "gym:task:Thing-v0", "atari:pong", "digits-mlp", "a task that is gone"):
        assert behaviour_names_of(task) == ()
    assert not proof.exists()


def test_the_last_generation_with_children_is_shown(store: Store) -> None:
    run = InventedRun(store, "run").block(0, [1.0] * BLOCK).block(1, [1.0] * BLOCK).block(2, [1.0] * BLOCK)
    assert generation_of(store, run.run).number == 1, "of the last, the parents are not known yet"
    run.waiting(3)
    assert generation_of(store, run.run).number == 2, "its children were born"
    deep = InventedRun(store, "deep", settings={"population": BLOCK, "depth": 1}).block(0, [1.0] * BLOCK)
    assert generation_of(store, deep.block(1, [2.0] * BLOCK).run).number == 1 and generation_of(store, deep.run).last
    assert generation_of(store, deep.block(2, [3.0] * BLOCK).run).number == 0, "children are two blocks later"


def test_individuals_that_failed_have_no_point(store: Store) -> None:
    run = InventedRun(store, "run").block(0, [1.0, None, 3.0, None]).end().run
    generation = generation_of(store, run)
    plot = scatter(generation)
    assert generation.number == 0 and generation.last and not generation.parents
    assert (len(plot.points), plot.failed, plot.older) == (2, 2, 0)
    assert [point.fitness for point in plot.points] == [1.0, 3.0]


def test_a_generation_that_is_not_there_is_refused(store: Store) -> None:
    run = InventedRun(store, "run").block(0, [1.0] * BLOCK).block(1, [None] * BLOCK).run
    with pytest.raises(NoGeneration, match="expected a generation of run, got 7; generations 0 to 1 are complete"):
        generation_of(store, run, 7)
    with pytest.raises(NoGeneration, match="nothing in generation 1 of run has an ok outcome"):
        generation_of(store, run, 1)
    empty = InventedRun(store, "empty").run
    with pytest.raises(NoGeneration, match="none is complete yet"):
        generation_of(store, empty)


def test_walls_are_those_of_a_built_in_environment() -> None:
    maze = walls_of("hard-maze")
    assert maze == walls_of("hard-maze-pixels") and (0.0, 150.0, 55.0, 150.0) in maze
    assert walls_of("gym:CartPole-v1") == walls_of("digits-mlp") == walls_of("a task that is gone") == []


def test_walls_that_cannot_be_read_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(HardMaze, "walls", "of glass")
    assert walls_of("hard-maze") == []
