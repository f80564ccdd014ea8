"""Scenarios on a PostgreSQL server that they start themselves: row C1 of docs/reliability.md."""

import random
import signal
import time
from pathlib import Path

from command_process import run_command, start_command
from postgres_server import missing, running_server
from result import Result
from sessions import SEARCH, difference, recorded_rows

BIRTHS = "240"


def killed_on_postgres(count: int, folder: Path) -> Result:
    """Searches that are recorded on a PostgreSQL server, killed by SIGKILL at random instants, and resumed."""
    what = "SIGKILL of the driver at random instants, on PostgreSQL, then resumed and equal to a run on SQLite"
    if reason := missing():
        return Result("C1", what, 0, (), 0.0, f"not run: {reason}")
    began, draw, failures = time.monotonic(), random.Random(count), []
    straight = folder / "straight.db"
    search_began = time.monotonic()
    run_command(*SEARCH, "--name", "run", "--births", BIRTHS, database=straight)
    seconds = time.monotonic() - search_began
    expected = recorded_rows(straight, "run")
    with running_server() as url:
        for number in range(count):
            name = f"run-{number}"
            with start_command(*SEARCH, "--name", name, "--births", BIRTHS, database=url) as process:
                time.sleep(seconds * (0.3 + 0.7 * draw.random()))
                process.send_signal(signal.SIGKILL)
                process.communicate()
            if f'"{name}"' in run_command("runs", "--json", database=url).stdout:
                again = ["resume", name, "--executor", "inline"]
            else:
                again = [*SEARCH, "--name", name, "--births", BIRTHS]
            for command in (again, ["db", "check"], ["top", name], ["show", name], ["lineage", name], ["curve", name]):
                done = run_command(*command, database=url)
                if done.returncode:
                    failures.append(f"{name} {command[0]}: status {done.returncode}, {done.stderr[-300:]!r}")
            problem = difference(expected, recorded_rows(url, name))
            failures += [f"{name}: {problem}"] if problem else []
    return Result("C1", what, count, tuple(failures), time.monotonic() - began)
