"""How much CPU time the commands that only read take, from start to exit, on a run of very many births.

`python tests/benchmarks/reading_commands.py [DATABASE]`: without a database it makes one of 300,000 births first, which
takes minutes. Prints the least of seven runs of each command, for the machine is never quite idle.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "helpers"))

from large_runs import large_run

COMMANDS = ("runs", "top large", "show large:best", "lineage large:best", "--help", "--version")
REPEATS = 7


def main() -> None:
    if len(sys.argv) > 1:
        report(Path(sys.argv[1]))
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "runs.db"
        large_run(path, 300_000)
        report(path)


def report(database: Path) -> None:
    for command in COMMANDS:
        print(f"germline {command:<20} {min(cpu_seconds(command, database) for _ in range(REPEATS)):.2f} s of CPU")


def cpu_seconds(command: str, database: Path) -> float:
    """User and system time of a process, and of its own children."""
    words = [sys.executable, "-m", "germline", *command.split()]
    environment = os.environ | {"GERMLINE_DB": str(database)}
    process = subprocess.Popen(words, env=environment, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, command
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
