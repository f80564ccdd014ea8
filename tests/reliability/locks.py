"""Scenarios in which processes meet at one database: rows D1 and D2 of docs/reliability.md."""

import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from command_process import run_command, start_command
from result import Result
from sessions import SEARCH, difference, recorded_rows

from germline.db.store import Store

WRITERS = 16

WRITER = """
import sys
from germline.db.store import Store
messages = []
with Store(sys.argv[1], on_wait=messages.append) as store:
    for _ in range(int(sys.argv[2])):
        print(store.create_run(None, "optimizer", "digits-mlp", "quick", 1, {}, {}).name)
print(len(messages), file=sys.stderr)
"""
"""Each transaction reads the names of all runs and writes one with the next number."""


def sixteen_writers(count: int, folder: Path) -> Result:
    """Sixteen processes that add runs to one database, each under the next free name; `count` or a few more in all."""
    began = time.monotonic()
    path = folder / "runs.db"
    each = -(-count // WRITERS)
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path), str(each)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(WRITERS)
    ]
    finished = [(*writer.communicate(), writer.returncode) for writer in writers]
    failures = [f"a writer ended with status {status}: {errors[-300:]}" for _, errors, status in finished if status]
    names = [name for output, _, _ in finished for name in output.split()]
    expected = [f"optimizer-{number}" for number in range(1, WRITERS * each + 1)]
    if sorted(names) != sorted(expected):
        failures.append(f"expected {len(expected)} different names, got {len(names)}, {len(set(names))} different")
    with Store(str(path), create=False) as store:
        rows = len(store.runs())
        failures += store.check()
    if rows != len(expected):
        failures.append(f"expected {len(expected)} rows, got {rows}")
    waits = sum(int(errors) for _, errors, status in finished if not status)
    what = f"{WRITERS} processes that read, change and write the same rows"
    note = f"{rows:,} rows, {waits} waits of 5 s or more"
    return Result("D1", what, len(expected), tuple(failures), time.monotonic() - began, note)


def held_locks(count: int, folder: Path) -> Result:
    """A search while a viewer holds a read transaction, and another process the write lock for `count` seconds."""
    began, failures = time.monotonic(), []
    straight, path = folder / "straight.db", folder / "runs.db"
    search = [*SEARCH, "--name", "run", "--births", "80"]
    run_command(*search, database=straight)
    run_command(*search[:-1], "8", database=path)
    with closing(sqlite3.connect(path, isolation_level=None)) as viewer:
        viewer.execute("BEGIN")
        viewer.execute("SELECT count(*) FROM evaluation").fetchone()
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            messages = folder / "stderr"
            with (
                messages.open("w") as errors,
                start_command(
                    *("resume", "run", "--births", "80", "--executor", "inline"), database=path, stderr=errors
                ) as process,
            ):
                if not _until(lambda: f"{path} is locked by another process: waited " in messages.read_text(), 120):
                    failures.append("the search did not say that it waits")
                time.sleep(count)
                if process.poll() is not None:
                    failures.append("the search did not wait")
                other.execute("ROLLBACK")
                process.communicate(timeout=120)
        if process.returncode != 0:
            failures.append(f"status {process.returncode}: {messages.read_text()[-300:]}")
    problem = difference(recorded_rows(straight, "run"), recorded_rows(path, "run"))
    failures += [problem] if problem else []
    waits = messages.read_text().count("is locked by another process")
    what = "a search beside a viewer's read transaction and another process's lock, in seconds"
    return Result("D2", what, count, tuple(failures), time.monotonic() - began, f"{waits} messages")


def _until(condition: Callable[[], bool], seconds: float) -> bool:
    """Waits until a condition holds; returns False if it does not within so many seconds."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.1)
    return False
