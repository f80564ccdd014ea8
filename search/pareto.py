"""What it takes to compare by several objectives: fronts, crowding, hypervolume, and a pick from a front.

All objectives are minimised here; who has one to maximise turns its sign.
"""

from collections.abc import Mapping, Sequence
from types import SimpleNamespace

import numpy as np
from numpy.typing import NDArray

from germline.evaluators.outcome import Objective

Points = NDArray[np.float64]
"""One row for each individual, one column for each objective."""


def minimised(found: Sequence[Mapping[str, float]], objectives: Sequence[Objective]) -> Points:
    """The objectives of each individual; what is to be maximised has its sign turned."""
    signs = [1.0 if one.direction == "min" else -1.0 for one in objectives]
    rows = [[sign * one[o.name] for sign, o in zip(signs, objectives, strict=True)] for one in found]
    return np.array(rows, dtype=np.float64).reshape(-1, len(objectives))


def fronts(points: Points) -> NDArray[np.intp]:
    """The front of each point, 0 for those that no other one dominates; equal points are in the same one."""
    from germline.search.sorting import ranks

    if not len(points):
        return np.empty(0, np.intp)
    unique, back = np.unique(points, axis=0, return_inverse=True)
    found: NDArray[np.intp] = ranks(unique)
    return found[back.reshape(-1)]


def crowding(points: Points) -> Points:
    """How far the neighbours of each point of a front are, over all objectives (Deb et al. 2002); infinite at the
    ends."""
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
    """The `count` points that NSGA-II keeps, best first: whole fronts, and of the last one the least crowded.

    Of equally crowded points the earlier one stays.
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
    """The volume that the points dominate, up to a reference point that is worse than all that counts."""
    from deap.benchmarks.tools import hypervolume as deap_hypervolume

    inside = points[(points < reference).all(1)]
    # DEAP maximises, and takes anything with a fitness.
    front = [SimpleNamespace(fitness=SimpleNamespace(wvalues=-point)) for point in inside]
    return float(deap_hypervolume(front, reference)) if front else 0.0


def knee(points: Points) -> int:
    """The point nearest to the ideal one when each objective is brought to 0..1; of equals the first."""
    low, high = points.min(0), points.max(0)
    span = np.where(high > low, high - low, 1.0)
    return int(np.argmin((((points - low) / span) ** 2).sum(1)))
