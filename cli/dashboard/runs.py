"""Rows of the page of runs, and curves of several runs with bands over their seeds."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from germline.cli.dashboard.fitness import Scores
from germline.cli.presenters.registry import PRESENTERS
from germline.db.records import RunSummary
from germline.search.analysis.comparison import Group

POINTS = 150
"""Points of each curve of a comparison."""


def run_row(run: RunSummary, reference: float | None) -> dict[str, Any]:
    """What the page of runs says of a run.

    Args:
        run: the run.
        reference: the fitness of its start, with which its best is compared; None if that is not known.
    """
    per_second = run.evaluations / run.seconds if run.seconds > 0 else None
    gain = None if run.best_fitness is None or reference is None else run.best_fitness - reference
    return {
        "name": run.name,
        "kind": run.kind,
        "task": run.task,
        "preset": run.preset,
        "seed": run.seed,
        "status": run.status,
        "births": run.births,
        "evaluations": run.evaluations,
        "per_second": per_second,
        "hits": run.cache_hits / run.births if run.births else None,
        "failures": run.failures,
        "failed": run.failures / run.evaluations if run.evaluations else None,
        "seconds": run.seconds,
        "best": run.best_fitness,
        "gain": gain,
        "created": run.created,
    }


def compared_with_start(kind: str) -> bool:
    """Whether the fitness of a run's individuals can be compared with that of birth 0."""
    return kind in PRESENTERS and PRESENTERS[kind].compared_with_start


def comparison_data(groups: Sequence[Group], scores: Mapping[str, Scores]) -> dict[str, Any]:
    """Curves of the best fitness so far: for each group of runs that differ in their seeds alone `name`, `runs`, `x`
    (births), and at each x the `median`, `low` and `high` over the seeds. A run that ended keeps its last value."""
    curves = []
    for number, group in enumerate(groups, 1):
        members = [result.run.name for result in group.results if len(scores[result.run.name].births)]
        if not members:
            continue
        # Each group has points of its own: beside a long run a short one would be a single point.
        last = max(int(scores[name].births[-1]) for name in members)
        x = np.unique(np.linspace(0, last, POINTS).astype(np.int64))
        values = np.stack([_best_at(scores[name], x) for name in members])
        known = ~np.isnan(values).any(0)
        curves.append(
            {
                "name": _name(number, members),
                "runs": members,
                "x": x[known].tolist(),
                "median": np.median(values[:, known], 0).tolist(),
                "low": values[:, known].min(0).tolist(),
                "high": values[:, known].max(0).tolist(),
            }
        )
    return {"curves": curves}


def _name(number: int, members: Sequence[str]) -> str:
    """A name that no other group has: two long names may begin alike."""
    others = f" and {len(members) - 1} more" if len(members) > 1 else ""
    return f"{number}: {members[0][:40]}{others}"


def _best_at(scores: Scores, x: Any) -> Any:
    """The best fitness up to each x `[len(x)]`; nan before the first."""
    best = np.maximum.accumulate(scores.fitness)
    place = np.searchsorted(scores.births, x, side="right") - 1
    return np.where(place >= 0, best[np.maximum(place, 0)], np.nan)
