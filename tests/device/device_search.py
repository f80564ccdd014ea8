"""Measures a whole search."""

import tempfile
import time
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from device_limits import OutOfTime, is_over
from device_step import NotHere, Results


def search(
    device: str, seconds: float, baseline_seconds: float, settings: Sequence[str], block: int, baseline_block: int
) -> Results:
    """A whole search with its database in this process, against one on the CPU with blocks and packs of a CPU.

    Args:
        device: of the search.
        seconds: of the search, once its first outcomes are recorded.
        baseline_seconds: the same, of the search on a CPU.
        settings: of both searches.
        block, baseline_block: births in a block of either search.
    """
    for package in ("sqlalchemy", "alembic"):
        if find_spec(package) is None:
            raise NotHere(f"a search with its database needs {package}, which is not here; put its wheel into wheels/")
    ours = searched(device, seconds, (*settings, f"block={block}"))
    rate = ours["evaluations"] / ours["seconds"]
    summary = (
        f"{rate:,.0f} evaluations/s, {ours['evaluations']} in {ours['seconds']:.0f} s of {ours['births']} births, "
        f"best {ours['best']}"
    )
    yield {"passed": ours["best"] is not None, "summary": summary, "ours": ours}
    theirs = searched("cpu", baseline_seconds, (*settings, f"block={baseline_block}"))
    row = {
        "name": "search/digits-mlp" + ("/cuda" if device == "cuda" else ""),
        "value": rate,
        "unit": "evaluations/s",
        "baseline": "the same search on a core of the CPU",
        "ratio": rate / (theirs["evaluations"] / theirs["seconds"]),
    }
    yield {"summary": f"{summary}, {row['ratio']:.1f}x", "rows": [row], "baseline": theirs}


def searched(device: str, seconds: float, settings: Sequence[str]) -> dict[str, Any]:
    """The evaluations of a new search, and the seconds that they took, from its first outcome on.

    Raises:
        OutOfTime: the step has used up its time. The search would take this error for one of a genome.
    """
    from germline.db.store import Store  # here, since the database comes from wheels
    from germline.search.run import evolve, new_run

    with tempfile.TemporaryDirectory() as folder, Store(str(Path(folder) / "runs.db"), create=True) as store:
        run = new_run(store, settings=settings, seed=1, births=1_000_000, device=device)
        began, first_seconds, first, last = time.monotonic(), 0.0, 0, 0
        for progress in evolve(store, run.name, executor="inline", device=device, stopped=is_over):
            last = progress.evaluations
            if not first:
                first, first_seconds = last, time.monotonic() - began
            elif last > first and time.monotonic() - began - first_seconds > seconds:
                break
        if is_over():
            raise OutOfTime(f"the search has evaluated {last} genomes")
        (summary,) = store.runs()
        return {
            "births": summary.births,
            "evaluations": last - first,
            "seconds": time.monotonic() - began - first_seconds,
            "seconds_until_first_outcomes": first_seconds,
            "failures": summary.failures,
            "best": summary.best_fitness,
            "pack": run.config["settings"]["pack"],
        }
