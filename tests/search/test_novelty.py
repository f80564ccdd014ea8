"""Novelty search: the most novel individuals have children, and the winner has the best return."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from germline.db.store import Store
from germline.evaluators.outcome import Outcome
from germline.programs.policy.network import Network
from germline.programs.policy.space import PolicySpace
from germline.search.failures import SearchFailed
from germline.search.individual import Block, Individual, Scored
from germline.search.run import evolve, new_run
from germline.search.strategies import novelty as module
from germline.search.strategies.novelty import Novelty, NoveltyState, novelty, rank_shares
from germline.search.strategies.truncation import Sigma, Truncation

SPACE = PolicySpace(Network("mlp", (2,), 2, (3,)), 0.05)
PLACES = [(0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (50.0, 50.0), (1.0, 1.0), (-30.0, 0.0)]


def search(neighbours: int = 2, archive: float = 0.0, blend: float = 0.0, parents: int = 2) -> Novelty:
    return Novelty(Truncation(SPACE, 6, parents, Sigma(0.1), candidates=0), neighbours, archive, blend)


def born(birth: int, place: Sequence[float], fitness: float | None = 0.0) -> Scored:
    measures = {f"behaviour_{axis}": value for axis, value in enumerate(place)}
    outcome = Outcome("diverged", measures=measures) if fitness is None else Outcome("ok", fitness, measures=measures)
    return Scored(Individual(birth, 0, (), "random", "…", f"f{birth}"), outcome)


def after(strategy: Novelty, *generations: Sequence[Scored]) -> NoveltyState:
    state = strategy.init()
    for births in generations:
        state = strategy.advance(state, Block(births=tuple(births)))
    return state


def parents(state: NoveltyState) -> list[int]:
    return [parent.birth for parent in state.parents]


@pytest.mark.parametrize(
    ("points", "others", "neighbours"), [(7, 0, 3), (40, 25, 25), (3, 0, 25), (1, 1, 9), (600, 90, 2)]
)
def test_novelty_is_the_mean_distance_from_the_nearest_others(points: int, others: int, neighbours: int) -> None:
    rng = np.random.default_rng(points)
    everyone = [tuple(row) for row in rng.normal(size=(points + others, 3))]
    found = novelty(np.array(everyone[:points]), np.array(everyone), neighbours)
    for place in range(0, points, 37):
        others_of = everyone[:place] + everyone[place + 1 :]
        nearest = sorted(math.dist(everyone[place], other) for other in others_of)[:neighbours]
        assert math.isclose(found[place], sum(nearest) / len(nearest))


def test_who_is_alone_has_no_novelty_and_children_all_the_same() -> None:
    assert novelty(np.zeros((1, 2)), np.zeros((1, 2)), 25).tolist() == [0.0]
    assert parents(after(search(), [born(4, (1.0, 1.0))])) == [4]


def test_novelty_does_not_depend_on_how_many_are_compared_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    points = np.random.default_rng(0).normal(size=(50, 2))
    whole = novelty(points[:30], points, 4)
    monkeypatch.setattr(module, "ROWS", 7)
    assert (novelty(points[:30], points, 4) == whole).all()


def test_equal_values_share_a_rank() -> None:
    assert rank_shares([5.0, 7.0, 5.0, 9.0]).tolist() == [1 / 6, 4 / 6, 1 / 6, 1.0]
    assert rank_shares([3.0]).tolist() == [0.0]


def test_the_most_novel_have_children_and_the_best_by_return_is_handed_over() -> None:
    strategy = search()
    state = after(strategy, [born(birth, place, -float(birth)) for birth, place in enumerate(PLACES)])
    assert parents(state) == [3, 5]
    best = strategy.winner(state)
    assert best is not None and best.birth == 0


def test_a_blend_of_one_has_the_parents_of_the_deep_ga() -> None:
    births = [born(birth, place, float(birth * 5 % 6)) for birth, place in enumerate(PLACES)]
    assert parents(after(search(blend=1.0), births)) == [1, 2]
    assert parents(after(search(blend=0.5), births)) == [3, 1]


def test_what_failed_is_neither_a_parent_nor_in_the_archive() -> None:
    births = [born(birth, place, None if birth in (3, 5) else 0.0) for birth, place in enumerate(PLACES)]
    state = after(search(archive=1.0, parents=6), births)
    assert sorted(parents(state)) == [0, 1, 2, 4]
    assert sorted(state.archive) == sorted(place for birth, place in enumerate(PLACES) if birth not in (3, 5))


@pytest.mark.parametrize("away", [math.inf, -math.inf, math.nan])
def test_what_came_to_rest_nowhere_is_neither_a_parent_nor_in_the_archive(away: float) -> None:
    births = [*(born(birth, place) for birth, place in enumerate(PLACES)), born(6, (0.0, away))]
    state = after(search(archive=1.0), births)
    assert parents(state) == [3, 5] and len(state.archive) == len(PLACES)


def test_a_generation_that_fails_leaves_the_parents_as_they_were() -> None:
    strategy = search()
    births = [born(birth, place) for birth, place in enumerate(PLACES)]
    failed = [born(birth, (0.0, 0.0), None) for birth in range(6, 12)]
    assert parents(after(strategy, births, failed)) == parents(after(strategy, births)) == [3, 5]


def test_what_the_archive_knows_is_no_longer_new() -> None:
    crowd = [born(6 + number, (100.0 + number, 0.0)) for number in range(4)]
    news = [*crowd, born(10, (50.0, 50.5)), born(11, (300.0, 0.0))]
    first = [born(birth, (50.0, 50.0 + birth / 10)) for birth in range(6)]
    assert parents(after(search(archive=0.0), first, news)) == [11, 10]
    assert parents(after(search(archive=1.0), first, news))[0] == 11
    assert 10 not in parents(after(search(archive=1.0), first, news))


def test_a_hash_of_the_fingerprint_decides_what_enters_the_archive() -> None:
    strategy = search(archive=0.1)
    chosen = [birth for birth in range(5_000) if strategy.enters_archive(born(birth, (0.0,)).individual)]
    assert chosen == [birth for birth in range(5_000) if strategy.enters_archive(born(birth, (1.0,), 9.0).individual)]
    assert 400 < len(chosen) < 600
    wider = search(archive=0.2)
    assert all(wider.enters_archive(born(birth, (0.0,)).individual) for birth in chosen)


def test_a_task_without_behaviours_ends_with_what_to_do() -> None:
    with pytest.raises(SearchFailed, match="strategy=truncation"):
        after(search(), [born(0, ())])


SMALL = ("strategy=novelty", "population=12", "parents=4", "archive=0.3", "hidden=4", "candidates=0", "steps=60")


@pytest.mark.slow
def test_a_run_that_was_cut_anywhere_equals_a_run_that_was_not(tmp_path: Path) -> None:
    store = Store(str(tmp_path / "runs.db"), create=True)
    runs = [
        new_run(store, "policy", task="hard-maze", settings=SMALL, seed=3, births=60, name=name)
        for name in ("whole", "cut")
    ]
    whole = [*evolve(store, "whole", executor="inline")][-1]
    for births in (1, 12, 17, 24, 43, 60):
        cut = [*evolve(store, "cut", executor="inline", births=births)][-1]
    first, second = (
        [
            (individual.birth, individual.parents, individual.operator, individual.genome)
            for individual in store.individuals(run.id)
        ]
        for run in runs
    )
    assert first == second and len(first) == 60
    assert cut.winner == whole.winner
