"""Hypervolume of Pareto fronts, in a box that makes runs of one task comparable (Zitzler and Thiele 1999).

The box reaches from 0 to a reference point: 100 % for an error, and for every other objective (params, macs, latency)
the largest value among the scored individuals of the compared runs. The hypervolume is the share of this box that the
front dominates: 0 if no individual is better than the reference point, close to 1 for tiny networks without errors.
Values with different reference points cannot be compared, so the reference point is always printed beside the value.
All objectives are minimised.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from germline.db.records import RunRecord, ScoredIndividual
from germline.search import pareto

if TYPE_CHECKING:
    from germline.db.store import Store

LARGEST_ERROR = {"validation_error": 100.0}
"""Coordinates of every reference point for the objectives in percent; the others follow from the compared runs."""


@dataclass(frozen=True)
class ScoredPoints:
    """The N scored individuals of a run as points of M objectives, each fingerprint once.

    Runs with equal `task` and `objectives` (M names) can be compared. `blocks` `[N]` holds the block in which a
    fingerprint was first born, `values` `[N, M]` the objectives.
    """

    task: str
    objectives: tuple[str, ...]
    blocks: NDArray[np.int64]
    values: pareto.Points


def objectives_of(run: RunRecord) -> tuple[str, ...]:
    """Returns the names of the objectives that a run minimises together; empty if it optimizes its fitness alone."""
    names = run.config.get("settings", {}).get("objectives")
    return tuple(names) if isinstance(names, list) and len(names) > 1 else ()


def scored_points(store: "Store", name: str) -> ScoredPoints | None:
    """Returns the scored individuals of a run as points; None for a run with a single objective.

    Raises:
        UnknownRun: the database has no run of that name.
    """
    run = store.run(name)
    return points_of(run, store.top(name)) if objectives_of(run) else None


def points_of(run: RunRecord, individuals: Sequence[ScoredIndividual]) -> ScoredPoints:
    """Returns individuals of a run as points. Individuals without a finite value of each objective are left out."""
    names = objectives_of(run)
    blocks, rows = [], []
    for scored in individuals:
        objectives = scored.evaluation.objectives if scored.evaluation else {}
        row = [objectives.get(name, np.nan) for name in names]
        if np.isfinite(row).all():
            blocks.append(scored.individual.block)
            rows.append(row)
    values = np.array(rows, np.float64).reshape(-1, len(names))
    return ScoredPoints(run.task, names, np.array(blocks, np.int64), values)


def reference_point(runs: Sequence[ScoredPoints]) -> dict[str, float]:
    """Returns the reference point of compared runs, by the name of the objective.

    Args:
        runs: at least one run, all with the same objectives.
    """
    values = np.concatenate([run.values for run in runs])
    largest = values.max(0, initial=0.0)
    names = runs[0].objectives
    return {name: LARGEST_ERROR.get(name, float(most)) for name, most in zip(names, largest, strict=True)}


def reference_points(runs: Sequence[ScoredPoints | None]) -> list[dict[str, float] | None]:
    """Returns the reference point of each run. Runs with the same task and objectives share it. None for a run that
    is None (a single objective)."""
    comparable: dict[tuple[str, tuple[str, ...]], list[ScoredPoints]] = {}
    for run in runs:
        if run is not None:
            comparable.setdefault((run.task, run.objectives), []).append(run)
    shared = {key: reference_point(members) for key, members in comparable.items()}
    return [None if run is None else shared[run.task, run.objectives] for run in runs]


def hypervolume(values: pareto.Points, reference: Mapping[str, float]) -> float:
    """Returns the share of the box between 0 and the reference point that points dominate, from 0 to 1.

    Args:
        values: `[N, M]`, dominated points allowed; columns in the order of `reference`.
        reference: the M coordinates of the reference point, by objective. If one is 0 the box is empty, and the
            result 0.
    """
    corner = np.array(list(reference.values()), np.float64)
    if not (corner > 0).all():
        return 0.0
    front = values[pareto.fronts(values) == 0]
    return pareto.hypervolume(front / corner, np.ones(len(corner)))


def hypervolume_by_block(run: ScoredPoints, reference: Mapping[str, float], blocks: Sequence[int]) -> list[float]:
    """Returns the hypervolume of the individuals born up to the end of each block, `[len(blocks)]`.

    Args:
        run: the individuals.
        reference: the reference point, as `reference_point` returns it.
        blocks: numbers of blocks, ascending.
    """
    volumes: list[float] = []
    front, volume, previous = run.values[:0], 0.0, -1
    for block in blocks:
        born = run.values[(run.blocks > previous) & (run.blocks <= block)]
        candidates = np.concatenate([front, born])
        best = candidates[pareto.fronts(candidates) == 0]
        if not np.array_equal(best, front):  # most blocks leave the front as it is
            front, volume = best, hypervolume(best, reference)
        volumes.append(volume)
        previous = block
    return volumes
