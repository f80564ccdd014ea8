"""`germline` as a process, as scenarios call it."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO

COMMAND = [sys.executable, "-m", "germline.cli.start"]
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}

SEARCH = [
    *("search", "architecture", "--preset", "nb201", "--executor", "inline", "--seed", "3"),
    *("--set", "strategy=aging", "--set", "population=20", "--set", "block=8", "--set", "pack=2"),
]
"""A search that takes milliseconds a birth: it looks outcomes up in a table."""


def start(
    *arguments: str,
    database: str | Path,
    limits: Callable[[], None] | None = None,
    errors: IO[str] | int = subprocess.PIPE,
) -> subprocess.Popen[str]:
    """Starts a command on a database; `limits` is called in the new process, which writes its stderr to `errors`."""
    return subprocess.Popen(
        [*COMMAND, *arguments],
        env={**ENVIRONMENT, "GERMLINE_DB": str(database)},
        stdout=subprocess.PIPE,
        stderr=errors,
        text=True,
        errors="surrogateescape",
        preexec_fn=limits,
    )


def call(*arguments: str, database: str | Path, limits: Callable[[], None] | None = None) -> tuple[int, str, str]:
    """Exit status, stdout and stderr of a command on a database."""
    with start(*arguments, database=database, limits=limits) as process:
        output, errors = process.communicate(timeout=600)
    return process.returncode, output, errors


def last_line(errors: str) -> str:
    """The last line of stderr, where an error stands."""
    return (errors.strip().splitlines() or [""])[-1]
