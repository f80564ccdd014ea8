"""Scenario of a database with very many individuals: row D5 of docs/reliability.md."""

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from random import Random

from command_process import run_command
from invented_runs import many_births
from result import Result

from germline.db.store import Store
from germline.search.kinds import kind_named
from germline.search.loop import SNAPSHOT_EVERY
from germline.search.run import new_run

SMALL = 1_000
READING = (["runs"], ["top", "many"], ["show", "many"], ["lineage", "many:900"])
MOST_SECONDS_MORE = 1.0
MOST_SECONDS_OF_RESUME = 10.0
MOST_TIMES_PER_BIRTH = 1.3

RESUME = """
import random, sys, time
from collections import deque
from germline.db.store import Store
from germline.evaluators.outcome import Outcome
from germline.search import run
draw, began, births = random.Random(1), [], int(sys.argv[2])

class Inventor:
    def __init__(self, spec, *options):
        self.evaluator, self.jobs = spec.build(), deque()

    def wait_until_ready(self):
        pass

    def submit(self, job):
        self.jobs.append(job)

    def next(self):
        began.append(time.process_time())
        job = self.jobs.popleft()
        losses = [0.5 + draw.random() for _ in job.genomes]
        return job, [Outcome("ok", -loss, {"validation_loss": loss}, {}, 0.01, "", None) for loss in losses]

    def close(self):
        self.jobs.clear()

run.make_executor = Inventor
with Store(sys.argv[1]) as store:
    for progress in run.evolve(store, "many", births=births, executor="inline", device="cpu"):
        pass
print(began[0], (time.process_time() - began[0]) / (births - progress.replayed))
"""
"""Resumes a run to some births, with invented outcomes; prints the CPU seconds until the first genome is scored, from
the start of the process, and those of each birth after it."""


def many_individuals(count: int, folder: Path) -> Result:
    """A run of `count` individuals beside a run of 1,000: listings, the start of a resume, and the cost of a birth."""
    began, failures, notes = time.monotonic(), [], []
    small, large = (_run_of(folder, births) for births in (SMALL, count))
    commands, repeats = (READING, 3) if count > 100_000 else (READING[::3], 1)
    for command in commands:
        less, more = (min(_cpu_seconds(command, path) for _ in range(repeats)) for path in (small, large))
        notes.append(f"{command[0]} {less:.1f} and {more:.1f} s")
        if more > less + MOST_SECONDS_MORE:
            failures.append(f"{command[0]}: {more:.1f} s against {less:.1f} s at {SMALL:,}")
    # The first resume of a run that was not searched by this version folds all births and records a snapshot.
    sizes = [(small, max(SMALL, SNAPSHOT_EVERY)), (large, max(count, SNAPSHOT_EVERY))]
    folded = [_resume(path, births + 256)[0] for path, births in sizes]
    notes.append(f"a fold of all births {folded[1]:.1f} s")
    (first_small, birth_small), (first, birth) = (_resume(path, births + 4352) for path, births in sizes)
    notes.append(f"resume {first_small:.1f} and {first:.1f} s")
    notes.append(f"a birth {1e6 * birth_small:.0f} and {1e6 * birth:.0f} µs")
    if first > MOST_SECONDS_OF_RESUME:
        failures.append(f"a resume scores its first genome after {first:.1f} s")
    if birth > MOST_TIMES_PER_BIRTH * birth_small + 100e-6:
        failures.append(f"a birth costs {1e6 * birth:.0f} µs against {1e6 * birth_small:.0f} µs at {SMALL:,}")
    what = f"individuals in a database: CPU seconds of commands, first at {SMALL:,} individuals"
    return Result("D5", what, count, tuple(failures), time.monotonic() - began, ", ".join(notes))


def _run_of(folder: Path, births: int) -> Path:
    path = folder / f"{births}.db"
    with Store(str(path)) as store:
        run = new_run(store, name="many", births=births, settings=["review_every=0", "lengths=0.1", "warmup=0"])
        store.claim(run.id)
        block = kind_named("optimizer").from_config(run.config["settings"]).block
        many_births(store, run, births, block, Random(births))
        store.release(run.id, "stopped", 0.0)
    return path


def _cpu_seconds(command: Sequence[str], database: Path) -> float:
    before = os.times()
    run_command(*command, database=database, timeout=600.0).check_returncode()
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def _resume(database: Path, births: int) -> tuple[float, float]:
    """CPU seconds until the first genome is scored, and of each birth after it."""
    command = [sys.executable, "-c", RESUME, str(database), str(births)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    first, each = done.stdout.split()
    return float(first), float(each)
