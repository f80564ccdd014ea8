"""Fronts, crowding and hypervolume against brute force and DEAP."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
from deap import base, tools

from germline.evaluators.hurdle import limit_for
from germline.evaluators.outcome import Objective, Outcome
from germline.search import pareto
from germline.search.individual import Individual, Scored
from germline.search.strategies.nsga2 import NSGA2, NSGA2State


class Fitness(base.Fitness):  # type: ignore[misc]
    weights = (-1.0, -1.0, -1.0)


def by_definition(points: np.ndarray) -> np.ndarray:
    """Front after front of what nothing left dominates."""
    ranks = np.full(len(points), -1)
    left, front = set(range(len(points))), 0
    while left:
        now = {
            i
            for i in left
            if not any((points[j] <= points[i]).all() and (points[j] < points[i]).any() for j in left if j != i)
        }
        ranks[list(now)] = front
        left, front = left - now, front + 1
    return ranks


def populations(objectives: int) -> list[np.ndarray]:
    """With few different values, so that there are ties and duplicates, and with many."""
    rng = np.random.default_rng(objectives)
    return [np.round(rng.random((40, objectives)) * k) / k for k in (1, 2, 3, 5, 9) for _ in range(6)] + [
        rng.random((60, objectives)) for _ in range(5)
    ]


@pytest.mark.parametrize("objectives", [1, 2, 3, 4])
def test_fronts_agree_with_the_definition(objectives: int) -> None:
    for points in populations(objectives):
        assert pareto.fronts(points).tolist() == by_definition(points).tolist()


@pytest.mark.parametrize("objectives", [2, 3])
def test_fronts_agree_with_deap(objectives: int) -> None:
    for points in populations(objectives):
        individuals = [SimpleNamespace(number=i, fitness=Fitness()) for i in range(len(points))]
        for individual, point in zip(individuals, points, strict=True):
            individual.fitness.weights = (-1.0,) * objectives
            individual.fitness.values = tuple(point)
        found = tools.sortLogNondominated(individuals, len(points))
        ranks = {individual.number: rank for rank, front in enumerate(found) for individual in front}
        assert pareto.fronts(points).tolist() == [ranks[i] for i in range(len(points))]


def test_survivors_are_whole_fronts_and_the_least_crowded_of_the_last() -> None:
    for points in populations(2):
        ranks = pareto.fronts(points)
        kept = pareto.survivors(points, 15)
        assert len(set(kept.tolist())) == 15
        last = ranks[kept].max()
        assert set(np.flatnonzero(ranks < last)) <= set(kept.tolist())
        members = np.flatnonzero(ranks == last)
        distance = dict(zip(members.tolist(), pareto.crowding(points[members]).tolist(), strict=True))
        inside = [distance[i] for i in members.tolist() if i in kept]
        outside = [distance[i] for i in members.tolist() if i not in kept]
        assert not outside or min(inside) >= max(outside)


def test_the_ends_of_a_front_are_never_crowded() -> None:
    front = np.array([[0.0, 4.0], [1.0, 2.0], [2.0, 1.0], [4.0, 0.0]])
    assert pareto.crowding(front).tolist() == [np.inf, 2 / 4 + 3 / 4, 3 / 4 + 2 / 4, np.inf]


def test_hypervolume() -> None:
    two = np.array([[0.0, 1.0], [1.0, 0.0], [3.0, 0.0]])
    assert pareto.hypervolume(two, np.array([2.0, 2.0])) == pytest.approx(3.0)
    assert pareto.hypervolume(np.array([[3.0, 3.0]]), np.array([2.0, 2.0])) == 0.0
    cube = np.array([[0.0, 0.0, 0.0]])
    assert pareto.hypervolume(cube, np.ones(3) * 2) == pytest.approx(8.0)


def test_the_knee_is_nearest_to_the_ideal() -> None:
    assert pareto.knee(np.array([[0.0, 1.0], [0.2, 0.3], [1.0, 0.0]])) == 1
    assert pareto.knee(np.array([[5.0, 1.0]])) == 0


def test_the_hurdle_of_a_child_comes_from_individuals_that_are_no_larger() -> None:
    """Ten individuals, the larger the better; a child that is smaller than five of them meets no hurdle."""
    objectives = [Objective("validation_error", "min"), Objective("params", "min")]

    def alive(birth: int) -> Scored:
        individual = Individual(birth, 0, (), "random", "", f"print-{birth}")
        shown = {"hurdle": 10.0 - birth}
        return Scored(individual, Outcome("ok", 0.0, {"validation_error": 50 - birth, "params": 100 * birth}, shown))

    state = NSGA2State(tuple(alive(birth) for birth in range(10)), 10)
    limit = NSGA2(None, objectives, 10, 0.9, passing=0.6).limit(state)  # type: ignore[arg-type]
    assert limit is not None
    assert limit_for(limit, 399) == math.inf
    assert limit_for(limit, 400) == 8.0  # of 10, 9, 8, 7, 6 three are at most 8
    assert limit_for(limit, 10_000) == 6.0
    assert NSGA2(None, objectives, 11, 0.9, passing=0.6).limit(state) is None  # type: ignore[arg-type]
    assert NSGA2(None, objectives, 10, 0.9).limit(state) is None  # type: ignore[arg-type]
