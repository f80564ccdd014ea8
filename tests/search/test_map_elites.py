"""MAP-Elites: every cell keeps its fittest policy, and all cells have children."""

import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from germline.db.store import Store
from germline.evaluators.outcome import Outcome
from germline.evaluators.tasks.registry import task_class
from germline.programs.policy.network import Network
from germline.programs.policy.space import PolicySpace
from germline.search.behaviour_map import MapLayout
from germline.search.failures import SearchFailed
from germline.search.individual import Block, Individual, Reviewed, Scored
from germline.search.kinds import KINDS
from germline.search.loop import rng_for
from germline.search.map_cells import GridCells
from germline.search.replay import replay
from germline.search.run import evolve, new_run
from germline.search.settings import BadSetting, check
from germline.search.strategies.map_elites import MapElites, MapElitesState
from germline.search.strategies.truncation import Sigma, Truncation

SPACE = PolicySpace(Network("mlp", (2,), 2, (3,)), 0.05)
PLACES = [(0.5, 0.5), (1.5, 0.5), (0.5, 1.5), (9.5, 9.5), (1.6, 0.4), (-30.0, 0.5)]
POLICIES = KINDS["policy"]


def search(candidates: int = 0) -> MapElites:
    layout = MapLayout((0, 1), ((0.0, 10.0), (0.0, 10.0)), GridCells((10, 10)))
    return MapElites(Truncation(SPACE, 6, 0, Sigma(0.1), candidates), layout)


def born(birth: int, place: Sequence[float], fitness: float | None = 0.0) -> Scored:
    measures = {f"behaviour_{axis}": value for axis, value in enumerate(place)}
    outcome = Outcome("diverged", measures=measures) if fitness is None else Outcome("ok", fitness, measures=measures)
    genome = SPACE.write(SPACE.draw(rng_for(0, birth)).genome)
    return Scored(Individual(birth, 0, (), "random", genome, f"f{birth}"), outcome)


def after(strategy: MapElites, *generations: Sequence[Scored]) -> MapElitesState:
    state = strategy.init()
    for births in generations:
        state = strategy.advance(state, Block(births=tuple(births)))
    return state


def held(state: MapElitesState) -> dict[int, int]:
    return {occupant.cell: occupant.individual.birth for occupant in state.behaviours.occupants}


def test_children_are_drawn_uniformly_from_the_occupied_cells_with_the_generator_of_the_birth() -> None:
    strategy = search()
    state = after(strategy, [born(birth, place, -float(birth)) for birth, place in enumerate(PLACES)])
    assert held(state) == {0: 0, 1: 2, 10: 1, 99: 3}
    proposals = [strategy.breed(state, birth, lambda each: rng_for(3, each)) for birth in range(6, 2_006)]
    counts = Counter(proposal.parents for proposal in proposals)
    assert set(counts) == {(0,), (1,), (2,), (3,)} and all(420 < count < 580 for count in counts.values())
    assert {proposal.operator for proposal in proposals} == {"mutate"}
    parent = SPACE.read(born(proposals[0].parents[0], ()).individual.genome)
    assert proposals[0].genome.parent == parent and proposals[0].genome.mutations[-1][1] == 0.1


def test_before_anything_is_mapped_genomes_are_drawn() -> None:
    strategy = search()
    failed = after(strategy, [born(birth, place, None) for birth, place in enumerate(PLACES)])
    for state in (strategy.init(), failed):
        assert strategy.breed(state, 7, lambda birth: rng_for(3, birth)).operator == "random"
        assert strategy.winner(state) is None


@pytest.mark.parametrize("away", [math.inf, -math.inf, math.nan])
def test_what_failed_or_came_to_rest_nowhere_has_no_cell(away: float) -> None:
    state = after(search(), [born(0, (3.5, 3.5), None), born(1, (3.5, away), 9.0), born(2, (0.5, 0.5), 1.0)])
    assert held(state) == {0: 2}


def test_without_reviews_the_winner_is_the_fittest_of_the_map_and_of_equals_the_oldest() -> None:
    strategy = search()
    first = [born(birth, place, float(birth % 3)) for birth, place in enumerate(PLACES)]
    state = after(strategy, first)
    assert (best := strategy.winner(state)) is not None and best.birth == 2
    again = [born(6, (7.5, 7.5), 2.0), born(7, (7.5, math.nan), 9.0), born(8, (0.5, 0.5), -1.0)]
    assert strategy.winner(after(strategy, first, again)) == best
    assert (new := strategy.winner(after(strategy, first, [born(6, (7.5, 7.5), 2.5)]))) is not None and new.birth == 6


def test_only_births_that_hold_a_cell_are_reviewed_and_the_reviews_choose_the_winner() -> None:
    strategy = search(candidates=3)
    state = after(strategy, [born(birth, place, float(birth)) for birth, place in enumerate(PLACES)])
    assert held(state) == {0: 5, 1: 2, 10: 4, 99: 3}, "birth 4 beats birth 1, and the border has birth 5"
    due = [review.individual.birth for review in strategy.reviews(state)]
    assert due == [5, 4, 3]
    answers = tuple(
        Reviewed(review, Outcome("ok", {5: 0.0, 4: 1.0, 3: 7.0}[review.individual.birth]))
        for review in strategy.reviews(state)
    )
    state = strategy.advance(state, Block(reviews=answers))
    assert (best := strategy.winner(state)) is not None and best.birth == 3 and not strategy.reviews(state)
    state = strategy.advance(state, Block(births=tuple(born(birth, (1.5, 0.5), 3.0) for birth in range(6, 9))))
    assert [review.individual.birth for review in strategy.reviews(state)] == [3], "no newcomer, the elite alone"
    assert held(state)[10] == 4


def test_a_task_with_fewer_behaviours_than_the_map_ends_with_what_to_do() -> None:
    with pytest.raises(SearchFailed, match=r"of at least 2 numbers.*got none; --set strategy=truncation"):
        after(search(), [born(0, ())])


def prepared(*settings: str, task: str = "hard-maze") -> MapLayout:
    chosen = POLICIES.prepare(POLICIES.resolve({}, ["strategy=map-elites", *settings]), task_class(task))
    check(chosen)
    strategy = POLICIES.strategy(chosen, POLICIES.space(chosen))
    assert isinstance(strategy, MapElites)
    return strategy.layout


def test_the_bounds_are_the_settings_else_the_tasks_else_learned() -> None:
    assert prepared().data() == {"behaviours": [0, 1], "bounds": [[0.0, 200.0], [0.0, 200.0]], "grid": [20, 20]}
    assert prepared("behaviours=1", "bounds=-5:1e2", "cells=7").data() == {
        "behaviours": [1],
        "bounds": [[-5.0, 100.0]],
        "grid": [7],
    }
    car = prepared("behaviours=1,0", task="gym:MountainCar-v0")
    assert car.bounds == ((-0.07, 0.07), (-1.2, 0.6))
    assert prepared(task="gym:CartPole-v1").bounds is None


def test_bounds_of_a_task_for_another_number_of_behaviours_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "own.py"
    file.write_text(
        "from germline.evaluators.tasks.hard_maze import HardMazeTask\n\n\n"
        "class Own(HardMazeTask):\n    name, behaviour_bounds = 'own', ((0, 1),)\n"
    )
    with pytest.raises(BadSetting, match=r"expected behaviour_bounds of own for the 2 behaviours .*, got 1; correct"):
        prepared(task=f"{file}:Own")
    assert prepared("bounds=0:1,0:2", task=f"{file}:Own").bounds == ((0.0, 1.0), (0.0, 2.0))


def test_more_than_three_behaviours_or_a_setting_make_a_voronoi_map() -> None:
    assert prepared(task="gym:CartPole-v1").data()["voronoi"] == 1_000
    assert prepared("behaviours=0,1,2", task="gym:CartPole-v1").data()["grid"] == [20, 20, 20]
    assert prepared("cells=5,5,4,3", task="gym:CartPole-v1").data()["grid"] == [5, 5, 4, 3]
    assert prepared("voronoi=64").data()["voronoi"] == 64


def test_a_config_without_its_map_is_refused_in_a_line() -> None:
    chosen = POLICIES.prepare(POLICIES.resolve({}, []), task_class("hard-maze"))
    broken = POLICIES.from_config({"strategy": "map-elites", "network_data": chosen.network_data})
    with pytest.raises(BadSetting, match="expected a map with a grid or with voronoi cells, got None"):
        POLICIES.strategy(broken, POLICIES.space(broken))


def test_other_strategies_have_no_map_in_their_config_and_a_told_outcome_needs_what_is_mapped() -> None:
    chosen = POLICIES.prepare(
        POLICIES.resolve({}, ["strategy=map-elites", "behaviours=2"]), task_class("gym:CartPole-v1")
    )
    assert POLICIES.required_measures(chosen, None) == ["behaviour_0", "behaviour_1", "behaviour_2"]
    assert POLICIES.prepare(POLICIES.resolve({}, []), task_class("hard-maze")).map_data is None


SMALL = ("strategy=map-elites", "population=12", "cells=8", "hidden=4", "steps=60", "test_episodes=0")


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings",
    [("candidates=0",), ("candidates=3",), ("candidates=0", "depth=2", "voronoi=30"), ("behaviours=1",)],
    ids=str,
)
def test_a_run_that_was_cut_anywhere_equals_a_run_that_was_not(tmp_path: Path, settings: tuple[str, ...]) -> None:
    store = Store(str(tmp_path / "runs.db"), create=True)
    runs = [
        new_run(store, "policy", task="hard-maze", settings=[*SMALL, *settings], seed=3, births=72, name=name)
        for name in ("whole", "cut")
    ]
    whole = [*evolve(store, "whole", executor="inline")][-1]
    for births in (1, 12, 17, 24, 43, 72):
        cut = [*evolve(store, "cut", executor="inline", births=births)][-1]
    first, second = (list(store.individuals(run.id)) for run in runs)
    assert [(each.genome, each.parents) for each in first] == [(each.genome, each.parents) for each in second]
    assert len(first) == 72 and {each.operator for each in first} == {"random", "mutate"}
    assert cut.winner == whole.winner
    for name in ("whole", "cut"):
        derived = replay(store, name)
        assert (derived.difference, derived.births) == (None, 72)
