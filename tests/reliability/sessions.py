"""Small real searches in processes of their own, which scenarios kill and resume, and what they have recorded."""

import json
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from command_process import COMMAND

from germline.db.store import Store

Recorded = Mapping[str, list[object]]

SEED = 3
"""Seed of the runs that are compared with each other."""

DRIVER = Path(__file__).parent / "driver.py"

RECIPES: Mapping[str, Mapping[str, Any]] = {
    "optimizer": {
        "kind": "optimizer",
        "births": 96,
        "settings": [
            *("population=20", "block=16", "pack=4", "lengths=0.05,0.1", "warmup=20"),
            *("litter=2", "review_every=32", "hurdle=0.3"),
        ],
    },
    "architecture": {
        "kind": "architecture",
        "preset": "nb201",
        "births": 160,
        "settings": ["strategy=nsga2", "population=20", "block=20", "pack=5"],
    },
    "policy": {
        "kind": "policy",
        "task": "gym:CartPole-v1",
        "births": 300,
        "settings": ["population=50", "candidates=4", "review_episodes=5", "test_episodes=20"],
    },
}
"""Arguments of `new_run` for a search of each kind that takes a second or two; optimizer and policy have reviews."""


SEARCH = (
    *("search", "architecture", "--preset", "nb201", "--executor", "inline", "--seed", "3"),
    *("--set", "strategy=aging", "--set", "population=20", "--set", "block=8", "--set", "pack=2"),
)
"""Arguments of a search that takes milliseconds a birth: it looks outcomes up in a table."""


@dataclass(frozen=True)
class Session:
    """A run and how a process drives it.

    Attributes:
        database: path of the SQLite file.
        run: name of the run.
        settings: arguments of `new_run`, by which a session creates the run unless it exists.
        log: file to which the process appends a line after each event: births and evaluations so far.
        workers, executor, ray_address: as in `evolve`.
        kill_at: a point of `driver.POINTS` and how often it is reached before the process kills itself; None: never.
        command: True if the process is `germline search`, which writes no acknowledgement log.
        export: path to which the winner is exported when the run is finished; None: no export.
    """

    database: str
    run: str
    settings: Mapping[str, Any]
    log: str
    workers: int = 1
    executor: str = "inline"
    ray_address: str | None = None
    kill_at: tuple[str, int] | None = None
    command: bool = False
    export: str | None = None

    def start(self, **environment: str) -> subprocess.Popen[str]:
        """Starts the process, in a session of its own; variables are added to its environment."""
        driver = [sys.executable, str(DRIVER), json.dumps(asdict(self))]
        return subprocess.Popen(
            [*COMMAND, *self._arguments()] if self.command else driver,
            env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def _arguments(self) -> list[str]:
        """The arguments of `germline search` for this session."""
        options = {name: value for name, value in self.settings.items() if name not in ("kind", "settings")}
        options |= {"name": self.run, "db": self.database, "workers": self.workers, "executor": self.executor}
        options |= {} if self.ray_address is None else {"ray-address": self.ray_address}
        settings = [part for setting in self.settings["settings"] for part in ("--set", setting)]
        return ["search", self.settings["kind"], *settings, *(f"--{name}={value}" for name, value in options.items())]

    def finish(self, **environment: str) -> str:
        """Drives the run to its end; returns what the process wrote on stderr if it failed, else an empty text."""
        with replace(self, kill_at=None, command=False).start(**environment) as process:
            assert process.stderr is not None
            errors = process.stderr.read()
        return f"status {process.returncode}: {errors.strip()[-500:]}" if process.returncode else ""

    def acknowledged(self) -> tuple[int, int]:
        """Births and evaluations of the last whole line of the log."""
        lines = [line for line in Path(self.log).read_text().splitlines(keepends=True) if line.endswith("\n")]
        births, evaluations = map(int, lines[-1].split()) if lines else (0, 0)
        return births, evaluations

    def problems(self) -> list[str]:
        """What is wrong with the database after a kill: a lost row that was acknowledged, damage, a broken rule."""
        if not Path(self.database).exists():
            return []
        births, evaluations = self.acknowledged()
        with closing(sqlite3.connect(self.database)) as connection:
            sound = connection.execute("PRAGMA quick_check").fetchone()[0]
        if sound != "ok":
            return [f"PRAGMA quick_check: {sound}"]
        with Store(self.database) as store:
            if self.run not in [summary.name for summary in store.runs()]:
                return [f"the run is lost after {births} births"] if births else []
            summary = next(summary for summary in store.runs() if summary.name == self.run)
            lost = []
            if summary.births < births or summary.evaluations < evaluations:
                recorded = f"{summary.births} births and {summary.evaluations} evaluations"
                lost.append(f"{recorded} are recorded, {births} and {evaluations} were acknowledged")
            return [*lost, *store.check()]


def session(folder: Path, kind: str, name: str, seed: int, **settings: Any) -> Session:
    """A session of the recipe of a kind, in a database of its own; `settings` replace arguments of the recipe."""
    log = folder / f"{name}.log"
    log.touch()
    return Session(str(folder / f"{name}.db"), kind, {**RECIPES[kind], "seed": seed, **settings}, str(log))


def recorded(session: Session) -> Recorded:
    """What a run has recorded and a repetition has to record again, to the last bit.

    Times, workers, and the winners of sessions that ended before the run did are left out.
    """
    return recorded_rows(session.database, session.run)


def recorded_rows(database: str | Path, name: str) -> Mapping[str, list[object]]:
    """What a run of this name in a database has recorded, as `recorded` says."""
    with Store(str(database)) as store:
        run = store.run(name)
        evaluations = [
            {name: repr(value) for name, value in asdict(each).items() if name not in ("seconds", "worker")}
            for each in store.evaluations(run.id)
        ]
        return {
            "individuals": [asdict(individual) for individual in store.individuals(run.id)],
            "evaluations": sorted(evaluations, key=lambda row: (row["fingerprint"], row["rung"], row["seed"])),
            "winners": sorted(store.winners(name).items()),
            "status": [run.status],
        }


def difference(expected: Recorded, got: Recorded) -> str | None:
    """The first difference between two runs in a line; None if they are equal."""
    for part, rows in expected.items():
        if rows == got[part]:
            continue
        for expected_row, row in zip(rows, got[part], strict=False):
            if expected_row != row:
                return f"{part}: expected {expected_row!s:.300}, got {row!s:.300}"
        return f"{part}: expected {len(rows)} rows, got {len(got[part])}"
    return None


def straight(folder: Path, kind: str, seed: int = SEED, **settings: Any) -> tuple[Recorded, float]:
    """What an undisturbed inline run of a kind records, and its seconds."""
    undisturbed = session(folder, kind, f"{kind}-straight-{seed}", seed, **settings)
    began = time.monotonic()
    problem = undisturbed.finish()
    assert not problem, problem
    return recorded(undisturbed), time.monotonic() - began


def resumed(attempt: Session, expected: Recorded, **environment: str) -> list[str]:
    """Resumes a run to its end; returns where it differs from the undisturbed run, and what is wrong with it."""
    problem = attempt.finish(**environment) or difference(expected, recorded(attempt))
    return [problem] if problem else attempt.problems()


def recorded_births(attempt: Session) -> int:
    """Births in the database; 0 while there is none."""
    try:
        with closing(sqlite3.connect(f"file:{attempt.database}?mode=ro", uri=True)) as connection:
            return int(connection.execute("SELECT count(*) FROM individual").fetchone()[0])
    except sqlite3.Error:
        return 0


def wait_for_births(attempt: Session, process: subprocess.Popen[str], births: int) -> None:
    """Waits until so many births are recorded, or the process ended."""
    while process.poll() is None and recorded_births(attempt) < births:
        time.sleep(0.05)
