"""`germline` in a process of its own, for what shows only there: signals, exit statuses, a terminal, another Ray."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

COMMAND = (sys.executable, "-P", "-m", "germline.cli.start")
"""The command `germline`. As with the installed script, the working directory is not searched for modules (`-P`)."""


def start_command(
    *words: str | Path,
    database: str | Path | None = None,
    variables: Mapping[str, str] | None = None,
    **options: Any,
) -> subprocess.Popen[str]:
    """Starts `germline` with arguments.

    Args:
        words: the arguments.
        database: path or URL of the default database; None: that of this process's environment.
        variables: of its environment, beside those of this process.
        options: of `subprocess.Popen`; stdout and stderr are pipes unless given.
    """
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    named = {} if database is None else {"GERMLINE_DB": str(database)}
    return subprocess.Popen(
        [*COMMAND, *map(str, words)],
        env={**os.environ, "OMP_NUM_THREADS": "1", **named, **(variables or {})},
        text=True,
        errors="surrogateescape",
        **{**pipes, **options},
    )


def run_command(*words: str | Path, timeout: float = 120.0, **options: Any) -> subprocess.CompletedProcess[str]:
    """Runs `germline` to its end, or fails after `timeout` seconds. Other arguments are those of `start_command`."""
    with start_command(*words, **options) as process:
        try:
            output, errors = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
    return subprocess.CompletedProcess(process.args, process.returncode, output, errors)


def wait_for_handler(process: subprocess.Popen[str], number: signal.Signals = signal.SIGTERM) -> None:
    """Waits until a process has a handler for a signal, which comes some time after its start, or has ended (Linux)."""
    while process.poll() is None:
        try:
            mask = re.search(r"SigCgt:\s*([0-9a-f]+)", Path(f"/proc/{process.pid}/status").read_text())
        except OSError:
            return
        if mask and int(mask[1], 16) >> (number - 1) & 1:
            return
        time.sleep(0.002)
