"""What the operators of a run brought, and the shares of hits and failures over its births."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from germline.cli.dashboard.fitness import bin_edges
from germline.cli.dashboard.run_columns import RunColumns
from germline.db.columns import HitRow

BINS = 120
"""The most points of a curve of shares."""

MOST = 40
"""The most rows of the table. Runs have about a dozen operators; a foreign database may have a name for each birth."""


def operator_rows(columns: RunColumns, line: Sequence[int]) -> list[dict[str, Any]]:
    """A row for each operator, the most frequent first. A donor is not told apart: `graft(lion)` counts as `graft`.

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
    indices: dict[str, list[int]] = {}
    for index, name in enumerate(columns.operators):
        indices.setdefault(name.partition("(")[0], []).append(index)
    for name, same in indices.items():
        own = np.isin(columns.operator, same)
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


def shares_data(count: int, hits: Sequence[HitRow], failures: Sequence[tuple[int, str]]) -> dict[str, Any]:
    """The shares of cache hits and of each failure among consecutive births: `x`, the first birth and the last of each
    bin, `hits` and `failures` by status of that bin at each.

    A cache hit of a failure failed too.

    Args:
        count: of the births.
        hits: each cache hit, and the birth whose outcome it shares.
        failures: the birth and the status of each outcome that is a failure.
    """
    if not count:
        return {"x": [], "hits": [], "failures": {}}
    edges = bin_edges(count, BINS)
    shared = np.array([row for row in hits if max(row) < count], np.int64).reshape(-1, 2)
    is_hit = np.zeros(count, np.bool_)
    is_hit[shared[:, 0]] = True
    by_status: dict[str, list[int]] = {}
    for birth, status in failures:
        if 0 <= birth < count:
            by_status.setdefault(status, []).append(birth)
    shares = {}
    for status, births in sorted(by_status.items()):
        failed = np.zeros(count, np.bool_)
        failed[births] = True
        failed[shared[failed[shared[:, 1]], 0]] = True
        shares[status] = _share(failed, edges)
    return {"x": [0, *(edges[1:] - 1).tolist()], "hits": _share(is_hit, edges), "failures": shares}


def _records(fitness: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether each birth was better than all before it."""
    known = np.where(np.isnan(fitness), -np.inf, fitness)
    best = np.maximum.accumulate(known) if len(known) else known
    before = np.concatenate([[-np.inf], best[:-1]]) if len(known) else known
    return np.asarray(known > before, np.bool_)


def _share(flags: NDArray[np.bool_], edges: NDArray[np.int64]) -> list[float]:
    """The share of true flags between consecutive edges, the first twice."""
    totals = np.concatenate([[0], np.cumsum(flags)])
    shares: list[float] = ((totals[edges[1:]] - totals[edges[:-1]]) / np.diff(edges)).tolist()
    return [*shares[:1], *shares]
