"""A timeline of the workers of a run: how busy each was, from what it recorded and how long that took."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from germline.cli.dashboard.run_columns import RunColumns

BINS = 100
"""Columns of the timeline."""

MOST = 32
"""The most workers that have a row, those with the most work; a run that was resumed has new workers each time."""


def workers_data(columns: RunColumns) -> dict[str, Any]:
    """How busy the workers were: `workers`, names; `start` and `end`, ISO 8601 in UTC; `busy`, for each worker its
    share of each bin between them. Without recorded times `workers` is empty.

    An evaluation is taken to end when it is recorded: those of a pack are recorded together and take the sum of their
    seconds.
    """
    timed = ~np.isnat(columns.created) & np.isfinite(columns.seconds)
    if not timed.any():
        return {"workers": [], "start": None, "end": None, "busy": []}
    ends = columns.created[timed].astype(np.int64) / 1e6
    worker, seconds = columns.worker[timed], columns.seconds[timed]
    groups, place = np.unique(np.stack([worker, ends.astype(np.int64)]), axis=1, return_inverse=True)
    totals = np.bincount(place.reshape(-1), weights=seconds)
    stops = np.zeros(groups.shape[1])
    np.maximum.at(stops, place.reshape(-1), ends)
    starts = stops - totals
    first, last = float(starts.min()), float(stops.max())
    edges = np.linspace(first, max(last, first + 1e-3), BINS + 1)
    work = np.bincount(groups[0], weights=totals, minlength=len(columns.workers))
    chosen = np.sort(np.argsort(-work, kind="stable")[:MOST])
    rows = []
    for index in chosen.tolist():
        own = groups[0] == index
        covered = np.diff(_covered(starts[own], stops[own], edges))
        rows.append(np.clip(covered / np.diff(edges), 0.0, 1.0).round(3).tolist())
    return {
        "workers": [columns.workers[index][:60] for index in chosen.tolist()],
        "start": _iso(first),
        "end": _iso(last),
        "busy": rows,
    }


def _covered(
    starts: NDArray[np.float64], stops: NDArray[np.float64], edges: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The total length of intervals up to each edge."""
    return _sum_above(starts, edges) - _sum_above(stops, edges)


def _sum_above(points: NDArray[np.float64], edges: NDArray[np.float64]) -> NDArray[np.float64]:
    """For each edge, the sum of its distances to the points before it."""
    ordered = np.sort(points)
    sums = np.concatenate([[0.0], np.cumsum(ordered)])
    count = np.searchsorted(ordered, edges)
    return np.asarray(count * edges - sums[count], np.float64)


def _iso(seconds: float) -> str:
    return f"{np.datetime64(round(seconds * 1000), 'ms')}Z"
