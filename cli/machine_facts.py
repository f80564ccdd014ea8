"""Facts about this machine for `germline doctor`. A part that does not work has the key `problem`."""

import os
import platform
import shutil
import sqlite3
import time
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from germline.cli.errors import single_line
from germline.cli.run_summaries import all_runs
from germline.db.errors import DatabaseError, MissingDatabase
from germline.db.location import SqliteFile, locate
from germline.evaluators.data.directory import MissingData, directory
from germline.evaluators.data.published_images import SETS
from germline.evaluators.evaluator import EvaluatorSpec
from germline.evaluators.executors.executor import Job
from germline.programs.optimizer.library import library_text

WAL_FIXED = (3, 51, 3)
"""The first SQLite without the WAL-reset bug."""


def versions() -> dict[str, Any]:
    """Versions of Python and of the packages; None for a package that is not installed."""
    packages: dict[str, Any] = {"python": platform.python_version()}
    for package in ("germline", "torch", "numpy", "numba", "ray", "sqlalchemy", "alembic", "deap", "click", "rich"):
        try:
            packages[package] = version(package)
        except PackageNotFoundError:
            packages[package] = None
    missing = [package for package, installed in packages.items() if installed is None]
    if missing:
        packages["problem"] = f"{', '.join(missing)} not installed; run make setup"
    return packages


def machine() -> dict[str, Any]:
    """System, usable cores, memory in bytes and data directory."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "cores": usable,
        "memory_bytes": _sysconf("SC_PHYS_PAGES"),
        "memory_free_bytes": _sysconf("SC_AVPHYS_PAGES"),
        "data": _data(),
    }


def _data() -> dict[str, Any]:
    """The data directory, and the location of each optional data set; None for a missing data set."""
    folder = directory()
    sets: dict[str, str | None] = {}
    for data_set in SETS:
        try:
            file = data_set.files(folder, "training")[0]
            sets[data_set.title] = str(file if file.name.endswith(".tar.gz") else file.parent)
        except MissingData:
            sets[data_set.title] = None
    return {"directory": str(folder), "sets": sets}


def _sysconf(pages: str) -> int | None:
    """Bytes of memory, from a system variable that counts pages; None if the system has no such variable."""
    try:
        return os.sysconf(pages) * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None


def torch_facts() -> dict[str, Any]:
    """Devices, threads and CUDA version of torch."""
    import torch  # takes seconds; not at the top, so that `germline doctor --help` answers at once

    devices = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return {"devices": ["cpu", *devices], "threads": torch.get_num_threads(), "cuda": torch.version.cuda}


def sqlite_facts() -> dict[str, Any]:
    """Version of SQLite, and whether it has the WAL-reset bug."""
    bug = sqlite3.sqlite_version_info < WAL_FIXED
    note = None
    if bug:
        # Germline has one checkpointing connection for each run; the bug needs two on one file.
        note = (
            f"before {'.'.join(map(str, WAL_FIXED))}: two processes that checkpoint one file at the same moment can "
            "damage it (WAL-reset bug). Only the process that searches checkpoints; "
            "search with one run for each file at a time, and open it read-only in other tools"
        )
    return {"version": sqlite3.sqlite_version, "wal_reset_bug": bug, "note": note}


def database_facts(url: str) -> dict[str, Any]:
    """Location of the database, its number of runs and the free space on its disk."""
    facts: dict[str, Any] = {"where": None, "runs": None, "disk_free_bytes": None}
    try:
        location = locate(url)
        facts["where"] = str(location)
        if isinstance(location, SqliteFile):
            folder = next(folder for folder in (*location.path.parents, location.path) if folder.is_dir())
            facts["disk_free_bytes"] = shutil.disk_usage(folder).free
        facts["runs"] = len(all_runs(url))
    except MissingDatabase:
        facts["runs"] = 0
    except DatabaseError as error:
        facts["problem"] = single_line(error)
    return facts


def ray_facts() -> dict[str, Any]:
    """Result of scoring a program in a worker of Ray."""
    from germline.evaluators.executors.ray_executor import RayExecutor  # imports Ray, which only --ray needs

    began = time.monotonic()
    try:
        executor = RayExecutor(EvaluatorSpec("optimizer", "digits-mlp", 0, "cpu"), workers=1)
        try:
            executor.submit(Job((0,), (library_text("adamw"),), 0, 0))
            outcome = executor.next()[1][0]
        finally:
            executor.close()
    except Exception as error:
        # Any error of Ray is the answer that the user asked for.
        return {"tried": True, "problem": single_line(error)[:300]}
    facts = {"tried": True, "status": outcome.status, "seconds": round(time.monotonic() - began, 1)}
    return facts if outcome.status == "ok" else {**facts, "problem": f"a worker ended with {outcome.status}"}
