"""Comparison by several objectives: Pareto fronts, crowding distance, hypervolume and the knee of a front.

All objectives are minimised. Negate objectives that should be maximised.
"""

from collections.abc import Mapping, Sequence
from types import SimpleNamespace

import numpy as np
from numpy.typing import NDArray

from germline.evaluators.outcome import Objective

Points = NDArray[np.float64]
"""`[N, M]`: a row for each of N individuals, a column for each of M objectives."""


def minimised(individuals: Sequence[Mapping[str, float]], objectives: Sequence[Objective]) -> Points:
    """Returns the objectives of each individual as points, negated where the objective is maximised."""
    signs = [1.0 if objective.direction == "min" else -1.0 for objective in objectives]
    rows = [
        [sign * values[objective.name] for sign, objective in zip(signs, objectives, strict=True)]
        for values in individuals
    ]
    return np.array(rows, dtype=np.float64).reshape(-1, len(objectives))


def fronts(points: Points) -> NDArray[np.intp]:
    """Returns the rank of each point's front, `[N]`: 0 if no point dominates it, otherwise one more than the highest
    rank of the points that dominate it. Equal points share a front."""
    from germline.search.pareto_sorting import front_ranks  # the compiler takes a second to load

    if not len(points):
        return np.empty(0, np.intp)
    unique, inverse = np.unique(points, axis=0, return_inverse=True)
    ranks: NDArray[np.intp] = front_ranks(unique)
    return ranks[inverse.reshape(-1)]


def crowding(points: Points) -> Points:
    """Returns the crowding distance of each point of a front, `[N]` (Deb et al. 2002): the distance between its
    neighbours as a share of the front's range, summed over the objectives; infinite at the ends."""
    distance = np.zeros(len(points))
    for column in points.T:
        order = np.argsort(column, kind="stable")
        ordered = column[order]
        span = ordered[-1] - ordered[0]
        distance[order[0]] = distance[order[-1]] = np.inf
        if span > 0:
            distance[order[1:-1]] += (ordered[2:] - ordered[:-2]) / span
    return distance


def survivors(points: Points, count: int) -> NDArray[np.intp]:
    """Returns the indices of the points that NSGA-II keeps, best first: whole fronts, then the least crowded points of
    the next front, the earlier first among equally crowded points.

    Args:
        points: `[N, M]`.
        count: number of points to keep; all if there are fewer.
    """
    ranks = fronts(points)
    kept: list[NDArray[np.intp]] = []
    room = count
    for front in range(int(ranks.max()) + 1 if len(ranks) else 0):
        members = np.flatnonzero(ranks == front)
        order = np.argsort(-crowding(points[members]), kind="stable")
        kept.append(members[order][:room])
        room -= len(kept[-1])
        if not room:
            break
    return np.concatenate(kept) if kept else np.empty(0, np.intp)


def hypervolume(points: Points, reference: Points) -> float:
    """Returns the volume that points dominate, up to a reference point `[M]` (Zitzler and Thiele 1999).

    Points that are not better than the reference point in every objective do not count.
    """
    from deap.benchmarks.tools import hypervolume as deap_hypervolume  # takes a quarter of a second to load

    inside = points[(points < reference).all(1)]
    # DEAP maximises, and accepts any object with a fitness.
    front = [SimpleNamespace(fitness=SimpleNamespace(wvalues=-point)) for point in inside]
    return float(deap_hypervolume(front, reference)) if front else 0.0


def knee(points: Points) -> int:
    """Returns the index of the point nearest to the ideal point, with each objective scaled to 0…1; among equally
    near points the first."""
    low, high = points.min(0), points.max(0)
    span = np.where(high > low, high - low, 1.0)
    return int(np.argmin((((points - low) / span) ** 2).sum(1)))
