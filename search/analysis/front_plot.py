"""The front of a run with several objectives as points of a plot, with the winner's line of ancestors."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from germline.db.records import RunRecord, ScoredIndividual
from germline.search import pareto
from germline.search.analysis.hypervolume import objectives_of


class NoFront(ValueError):
    """The run has a single objective, or no individual in it has a value of each objective."""


Values = tuple[float, ...]
"""The objectives of an individual, all minimised."""


@dataclass(frozen=True)
class FrontPlot:
    """The individuals of a run with several objectives.

    Attributes:
        run: the run.
        names: the objectives, in the order of the values.
        points: of each individual with a value of each objective.
        front: those of `points` that no other dominates, sorted.
        line: of the marked individual's ancestors by first parents, from the oldest to itself; empty if none is marked.
        marked: the marked individual in words.
    """

    run: RunRecord
    names: tuple[str, ...]
    points: Sequence[Values]
    front: Sequence[Values]
    line: Sequence[Values]
    marked: str = "winner"


def front_plot(
    run: RunRecord, individuals: Sequence[ScoredIndividual], line: Sequence[ScoredIndividual], marked: str = "winner"
) -> FrontPlot:
    """Returns the points of a run.

    Args:
        run: of architectures, with several objectives.
        individuals: those with an ok outcome.
        line: the ancestors of the winner, or of another marked individual, by first parents, and itself.
        marked: that individual in words.

    Raises:
        NoFront: the run has a single objective, or no individual has a finite value of each objective.
    """
    names = objectives_of(run)
    if not names:
        raise NoFront(f"expected a run with several objectives for a front, got {run.name}, which has one")
    points = _finite_values(individuals, names)
    if not points:
        raise NoFront(f"nothing in {run.name} has a value of each objective yet")
    ranks = pareto.fronts(np.array(points, np.float64))
    front = sorted({values for values, rank in zip(points, ranks, strict=True) if rank == 0})
    return FrontPlot(run, names, points, front, _finite_values(line, names), marked)


def _finite_values(individuals: Sequence[ScoredIndividual], names: Sequence[str]) -> list[Values]:
    """The objectives of the individuals that have a finite value of each."""
    outcomes = [scored.evaluation for scored in individuals if scored.evaluation is not None]
    values = [tuple(float(outcome.objectives.get(name, np.nan)) for name in names) for outcome in outcomes]
    return [row for row in values if np.isfinite(row).all()]


def staircase(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Returns the points that no other point dominates in both numbers, sorted by the first: the corners of the steps
    below which nothing lies."""
    corners: list[tuple[float, float]] = []
    for x, y in sorted(points):
        if not corners or y < corners[-1][1]:
            corners.append((x, y))
    return corners
