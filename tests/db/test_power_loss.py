"""Which transactions wait until the disk has them."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, event

from germline.db import engine
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


def record(store: Store, run_id: int, birth: int, synced: bool) -> None:
    parents = (birth - 1,) if birth else ()
    operator = "modify" if birth else "seed"
    born = Individual(birth, birth, parents, operator, f"genome {birth}", f"print-{birth}", None)
    store.add_individuals(run_id, "optimizer", [born])
    outcome = EvaluationRecord(birth, born.fingerprint, "digits-mlp", 0, 0, "ok", 0.5, {}, {}, 0.1, "w", None)
    store.add_evaluations(run_id, [outcome], winners=[Winner(birth, birth, False)], synced=synced)


def test_what_can_be_made_again_waits_for_the_disk_once_in_a_while(
    tmp_path: Path, levels: Callable[[], list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    with Store(str(tmp_path / "runs.db")) as store:
        run = store.create_run("run", "optimizer", "digits-mlp", "quick", 1, {}, {})
        store.claim(run.id)
        levels()
        monkeypatch.setattr(engine, "SYNC_EVERY", 1e9)
        record(store, run.id, 0, synced=False)
        assert levels() == [QUICK, QUICK]
        record(store, run.id, 1, synced=True)
        assert levels() == [QUICK, WAITS]
        monkeypatch.setattr(engine, "SYNC_EVERY", 0.0)
        record(store, run.id, 2, synced=False)
        assert levels() == [WAITS, WAITS]
        monkeypatch.setattr(engine, "SYNC_EVERY", 1e9)
        record(store, run.id, 3, synced=False)
        store.release(run.id, "stopped", 1.0)
        assert levels() == [QUICK, QUICK, WAITS]


def test_a_file_without_a_log_of_this_process_waits_each_time(
    tmp_path: Path, levels: Callable[[], list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "SYNC_EVERY", 1e9)
    path = str(tmp_path / "runs.db")
    with Store(path) as store:
        run = store.create_run("run", "optimizer", "digits-mlp", "quick", 1, {}, {})
    with Store(path) as store:  # drives no run, and so has not made sure of a log
        levels()
        record(store, run.id, 0, synced=False)
        assert levels() == [WAITS, WAITS]
