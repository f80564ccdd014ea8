"""Which transactions wait until the disk has them."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, event

from germline.db.records import EvaluationRecord, Individual, Winner
from germline.db.store import Store

WAITS, QUICK = 2, 1
"""SQLite's `PRAGMA synchronous`: FULL waits for the disk at each commit, NORMAL leaves that to the next FULL."""


@pytest.fixture
def levels() -> Iterator[Callable[[], list[int]]]:
    """Returns the level of each commit since it was last called, without those of transactions that only read."""
    seen: list[int] = []

    def note(connection: Connection) -> None:
        if connection.get_execution_options().get("germline_begin"):
            seen.append(connection.exec_driver_sql("PRAGMA synchronous").scalar_one())

    def taken() -> list[int]:
        levels = seen.copy()
        seen.clear()
        return levels

    event.listen(Engine, "commit", note)
    yield taken
    event.remove(Engine, "commit", note)


def test_births_alone_wait_for_the_next_transaction(tmp_path: Path, levels: Callable[[], list[int]]) -> None:
    with Store(str(tmp_path / "runs.db")) as store:
        run = store.create_run("run", "optimizer", "digits-mlp", "quick", 1, {}, {})
        store.claim(run.id)
        levels()
        store.add_individuals(run.id, "optimizer", [Individual(0, 0, (), "seed", "genome", "print", None)])
        assert levels() == [QUICK]
        outcome = EvaluationRecord(0, "print", "digits-mlp", 0, 0, "ok", 0.5, {}, {}, 0.1, "w", None)
        store.add_evaluations(run.id, [outcome], winners=[Winner(0, 0, False)])
        assert levels() == [WAITS]
        store.add_individuals(run.id, "optimizer", [Individual(1, 1, (0,), "modify", "child", "other", None)])
        store.release(run.id, "stopped", 1.0)
        assert levels() == [QUICK, WAITS]


def test_a_file_without_a_log_of_this_process_waits_each_time(tmp_path: Path, levels: Callable[[], list[int]]) -> None:
    path = str(tmp_path / "runs.db")
    with Store(path) as store:
        run = store.create_run("run", "optimizer", "digits-mlp", "quick", 1, {}, {})
    with Store(path) as store:  # drives no run, and so has not made sure of a log
        levels()
        store.add_individuals(run.id, "optimizer", [Individual(0, 0, (), "seed", "genome", "print", None)])
        assert levels() == [WAITS]
