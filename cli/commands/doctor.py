"""`germline doctor`: what this machine offers a search, and what could go wrong on it."""

from typing import Any

import click

from germline.cli.common import console, db_option, json_option, print_json
from germline.cli.errors import UserError, one_line

WAL_FIXED = (3, 51, 3)
"""The first SQLite without the WAL-reset bug."""


@click.command()
@click.option("--ray", "try_ray", is_flag=True, help="Also start Ray and score a program in a worker (some seconds).")
@db_option
@json_option
def command(try_ray: bool, url: str, as_json: bool) -> None:
    """Tell what this machine offers a search.

    Versions, cores, memory, disk, devices and the state of the database. Exit status 1 if a part does not work.

    \b
    Example:
      germline doctor --ray
    """
    found: dict[str, Any] = {
        "versions": _versions(),
        "machine": _machine(),
        "torch": _torch(),
        "sqlite": _sqlite(),
        "database": _database(url),
        "ray": _ray() if try_ray else {"tried": False},
    }
    problems = [f"{part}: {facts['problem']}" for part, facts in found.items() if facts.get("problem")]
    if as_json:
        print_json({**found, "problems": problems})
    else:
        _print(found)
    if problems:
        raise UserError("; ".join(problems), 1)


def _versions() -> dict[str, Any]:
    import platform
    from importlib.metadata import PackageNotFoundError, version

    found: dict[str, Any] = {"python": platform.python_version()}
    for package in ("germline", "torch", "numpy", "numba", "ray", "sqlalchemy", "alembic", "deap", "click", "rich"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = None
    missing = [package for package, installed in found.items() if installed is None]
    if missing:
        found["problem"] = f"{', '.join(missing)} not installed; run make setup"
    return found


def _machine() -> dict[str, Any]:
    import os
    import platform

    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "cores": usable,
        "memory_bytes": _sysconf("SC_PHYS_PAGES"),
        "memory_free_bytes": _sysconf("SC_AVPHYS_PAGES"),
        "data": _data(),
    }


def _data() -> dict[str, Any]:
    """The data directory, and for each set that can be read from there where it lies; None: it does not."""
    from germline.evaluators.data.directory import MissingData, directory
    from germline.evaluators.data.original import SETS

    folder = directory()
    sets: dict[str, str | None] = {}
    for one in SETS:
        try:
            first = one.files(folder, "training")[0]
            sets[one.title] = str(first if first.name.endswith(".tar.gz") else first.parent)
        except MissingData:
            sets[one.title] = None
    return {"directory": str(folder), "sets": sets}


def _sysconf(pages: str) -> int | None:
    """Bytes in so many pages; None where the system does not say."""
    import os

    try:
        return os.sysconf(pages) * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None


def _torch() -> dict[str, Any]:
    import torch

    devices = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return {"devices": ["cpu", *devices], "threads": torch.get_num_threads(), "cuda": torch.version.cuda}


def _sqlite() -> dict[str, Any]:
    import sqlite3

    bug = sqlite3.sqlite_version_info < WAL_FIXED
    note = None
    if bug:
        # Germline keeps to one checkpointing connection a run, which the bug needs two of.
        note = (
            f"before {'.'.join(map(str, WAL_FIXED))}: two processes that checkpoint one file at the same moment can "
            "damage it (WAL-reset bug). Germline lets only the process that drives a run checkpoint; "
            "drive one run a file at a time, and open it read-only in other tools"
        )
    return {"version": sqlite3.sqlite_version, "wal_reset_bug": bug, "note": note}


def _database(url: str) -> dict[str, Any]:
    import shutil

    from germline.db.errors import DatabaseError, MissingDatabase
    from germline.db.location import SqliteFile, locate

    found: dict[str, Any] = {"where": None, "runs": None, "disk_free_bytes": None}
    try:
        location = locate(url)
        found["where"] = str(location)
        if isinstance(location, SqliteFile):
            folder = next(parent for parent in location.path.parents if parent.is_dir())
            found["disk_free_bytes"] = shutil.disk_usage(folder).free
        found["runs"] = _count_runs(url)
    except MissingDatabase:
        found["runs"] = 0
    except DatabaseError as error:
        found["problem"] = one_line(error)
    return found


def _count_runs(url: str) -> int:
    from germline.cli.common import open_store
    from germline.db import run_list

    found = run_list.runs(url)
    if found is None:
        with open_store(url) as store:
            found = store.runs()
    return len(found)


def _ray() -> dict[str, Any]:
    import time

    from germline.evaluators.evaluator import EvaluatorSpec
    from germline.evaluators.executors.executor import Job
    from germline.evaluators.executors.ray_executor import RayExecutor
    from germline.programs.optimizer.library import library_text

    began = time.monotonic()
    try:
        executor = RayExecutor(EvaluatorSpec("optimizer", "digits-mlp", 0, "cpu"), workers=1)
        try:
            executor.submit(Job((0,), (library_text("adamw"),), 0, 0))
            outcome = executor.next()[1][0]
        finally:
            executor.close()
    except Exception as error:
        # Whatever Ray says is what the user wants to know here.
        return {"tried": True, "problem": one_line(error)[:300]}
    facts = {"tried": True, "status": outcome.status, "seconds": round(time.monotonic() - began, 1)}
    return facts if outcome.status == "ok" else {**facts, "problem": f"a worker ended with {outcome.status}"}


def _print(found: dict[str, Any]) -> None:
    from germline.cli.render import BAD, QUIET, plain_table, print_table, safe, size

    versions, machine, torch_facts, sqlite, database, ray = found.values()
    table = plain_table("", "")
    table.show_header = False
    table.columns[0].style, table.columns[0].no_wrap = QUIET, True

    def line(name: str, text: str) -> None:
        table.add_row(name, safe(text))

    line("versions", ", ".join(f"{name} {text}" for name, text in versions.items() if name != "problem" and text))
    memory, free = machine["memory_bytes"], machine["memory_free_bytes"]
    parts = [machine["system"], f"{machine['cores']} cores"]
    parts += [f"{size(memory)} memory"] if memory else []
    parts += [f"{size(free)} of it free"] if free else []
    line("machine", ", ".join(parts))
    line("devices", ", ".join(torch_facts["devices"]) + ("" if torch_facts["cuda"] else " (torch without CUDA)"))
    line("torch threads", f"{torch_facts['threads']} here; a search uses one in each worker")
    folder, sets = machine["data"].values()
    missing = [title for title, where in sets.items() if not where]
    sets_found = [f"{title} in {where}" for title, where in sets.items() if where]
    sets_found += [f"no {', '.join(missing)} in {folder} (another directory: GERMLINE_DATA)"] if missing else []
    for number, fact in enumerate(sets_found):
        line("" if number else "data", fact)
    line("sqlite", sqlite["version"])
    if sqlite["note"]:
        line("", sqlite["note"])
    line("database", database["where"] or "-")
    if database["runs"] is not None:
        line("", f"{database['runs']} run{'' if database['runs'] == 1 else 's'}")
    if database["disk_free_bytes"] is not None:
        line("", f"{size(database['disk_free_bytes'])} free on its disk")
    line("ray", f"scored a program in {ray['seconds']} s" if "seconds" in ray else "not tried (--ray starts it)")
    for facts in found.values():
        if facts.get("problem"):
            table.add_row("problem", safe(facts["problem"], BAD))
    print_table(console(), table)
