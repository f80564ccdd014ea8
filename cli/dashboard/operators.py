"""What the operators of a run brought, and the shares of hits and failures over its births."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from germline.cli.dashboard.run_columns import RunColumns

BINS = 120
"""The most points of a curve of shares."""

IN_A_BIN = 25
"""The fewest births of a point."""

MOST = 40
"""The most rows of the table. A run has a few dozen operators; a foreign database may have a name for each birth."""


def operator_rows(columns: RunColumns, line: Sequence[int]) -> list[dict[str, Any]]:
    """A row for each operator, the most frequent first.

    Args:
        columns: of the run.
        line: births of the winner's line, from the seed on.

    Returns:
        `operator`; `births`; `hits` and `failed`, shares of its births; `better`, the share of its scored children with
        a higher fitness than their first parent, None without any; `gain`, the largest such difference; `records`, how
        often its child was the best so far; `line`, its steps in the winner's line.
    """
    fitness = columns.birth_fitness
    has_parent = (columns.parent >= 0) & (columns.parent < columns.size)
    before = np.where(has_parent, fitness[np.where(has_parent, columns.parent, 0)], np.nan) if columns.size else fitness
    with np.errstate(invalid="ignore", over="ignore"):
        gains = fitness - before
    records = _records(fitness)
    on_line = np.zeros(columns.size, np.bool_)
    on_line[list(line)] = True
    rows: list[dict[str, Any]] = []
    for index, name in enumerate(columns.operators):
        own = columns.operator == index
        count = int(own.sum())
        compared = own & np.isfinite(gains) & (columns.source < 0)
        rows.append(
            {
                "operator": name,
                "births": count,
                "hits": float((columns.source[own] >= 0).mean()),
                "failed": float(columns.failed[own].mean()),
                "better": float((gains[compared] > 0).mean()) if compared.any() else None,
                "gain": float(gains[compared].max()) if compared.any() else None,
                "records": int(records[own].sum()),
                "line": int(on_line[own].sum()),
            }
        )
    return sorted(rows, key=lambda row: -int(row["births"]))[:MOST]


def shares_data(columns: RunColumns) -> dict[str, Any]:
    """The shares of cache hits and of each failure among consecutive births: `x`, the last birth of each bin, `hits`,
    and `failures` by status."""
    if not columns.size:
        return {"x": [], "hits": [], "failures": {}}
    bins = max(1, min(BINS, columns.size // IN_A_BIN))
    edges = np.unique(np.linspace(0, columns.size, bins + 1).astype(np.int64))
    failures = {}
    for index, status in enumerate(columns.statuses):
        of_status = (columns.outcome >= 0) & (columns.status[columns.outcome] == index) if len(columns.ids) else None
        if status != "ok" and of_status is not None and of_status.any():
            failures[status] = _share(of_status, edges)
    return {"x": (edges[1:] - 1).tolist(), "hits": _share(columns.source >= 0, edges), "failures": failures}


def _records(fitness: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether each birth was better than all before it."""
    known = np.where(np.isnan(fitness), -np.inf, fitness)
    best = np.maximum.accumulate(known) if len(known) else known
    before = np.concatenate([[-np.inf], best[:-1]]) if len(known) else known
    return np.asarray(known > before, np.bool_)


def _share(flags: NDArray[np.bool_], edges: NDArray[np.int64]) -> list[float]:
    """The share of true flags between consecutive edges."""
    totals = np.concatenate([[0], np.cumsum(flags)])
    shares: list[float] = ((totals[edges[1:]] - totals[edges[:-1]]) / np.diff(edges)).tolist()
    return shares
