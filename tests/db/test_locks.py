"""Several processes on the same file: a process that finds it locked waits, with a message, and none fails."""

import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, event, select

from germline.db import run_list
from germline.db.errors import DatabaseLocked, DiskFull
from germline.db.lock_retry import LockRetry
from germline.db.records import Individual
from germline.db.schema import run
from germline.db.store import Store

WRITER = """
import sys
from germline.db.store import Store
with Store(sys.argv[1]) as store:
    for _ in range(50):
        print(store.create_run(None, "optimizer", "digits-mlp", "quick", 1, {}, {}).name)
"""


def test_all_queries_of_a_transaction_that_reads_see_the_same_state(url: str) -> None:
    with Store(url) as viewer, Store(url) as writer:
        first = writer.create_run(None, "optimizer", "digits-mlp", "quick", 1, {}, {})
        writer.claim(first.id)  # as the driver of a run, which switches to the write-ahead log

        def names_before_and_after_a_write(connection: Connection) -> list[list[str]]:
            before = list(connection.scalars(select(run.c.name)))
            writer.create_run(None, "optimizer", "digits-mlp", "quick", 1, {}, {})
            return [before, list(connection.scalars(select(run.c.name)))]

        before, after = viewer._database.read(names_before_and_after_a_write)
        assert before == after == [first.name]
        assert len(viewer.runs()) == 2
        writer.release(first.id, "stopped", 0.0)


@pytest.mark.slow
def test_four_processes_create_a_database_and_commit_fifty_transactions_each(url: str) -> None:
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, url], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    outputs = [writer.communicate() for writer in writers]
    assert [error for _, error in outputs] == [""] * 4
    names = [name for output, _ in outputs for name in output.split()]
    assert sorted(names) == sorted(f"optimizer-{number}" for number in range(1, 201))
    with Store(url, create=False) as store:
        assert len(store.runs()) == 200
        assert store.check() == []


@pytest.fixture
def path(tmp_path: Path, blank: bytes) -> Path:
    path = tmp_path / "runs.db"
    path.write_bytes(blank)
    return path


@pytest.fixture
def other(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        yield connection


def test_a_write_waits_with_a_message_until_the_lock_is_free(path: Path, other: sqlite3.Connection) -> None:
    messages = []

    def on_wait(message: str) -> None:
        messages.append(message)
        if len(messages) == 2:
            other.execute("ROLLBACK")

    with Store(str(path), on_wait=on_wait, busy_seconds=0.01) as store:
        other.execute("BEGIN EXCLUSIVE")
        run = store.create_run("patient", "optimizer", "digits-mlp", "quick", 1, {}, {})
        assert [summary.name for summary in store.runs()] == [run.name]
    assert len(messages) == 2
    assert f"{path} is locked by another process" in messages[0]


def test_opening_waits_for_a_process_with_an_exclusive_lock(path: Path, other: sqlite3.Connection) -> None:
    other.execute("PRAGMA locking_mode = EXCLUSIVE")
    other.execute("BEGIN EXCLUSIVE")
    other.execute("CREATE TABLE mine (x)")
    messages = []

    def on_wait(message: str) -> None:
        messages.append(message)
        other.execute("ROLLBACK")
        other.close()

    with Store(str(path), on_wait=on_wait, busy_seconds=0.01) as store:
        assert store.runs() == []
    assert len(messages) == 1


def test_a_lock_that_is_reported_at_once_is_told_once_in_a_while() -> None:
    messages: list[str] = []

    def operation() -> None:
        raise DatabaseLocked("at once")

    with pytest.raises(DatabaseLocked, match="stayed locked"):
        LockRetry(busy_seconds=5.0, wait_seconds=0.3, on_wait=messages.append).call(operation, "here")
    assert messages == ["here is locked by another process: waited 0 s of 0 s"]


def test_a_lock_held_for_longer_than_the_waiting_time_is_an_error(path: Path, other: sqlite3.Connection) -> None:
    with Store(str(path), busy_seconds=0.01, wait_seconds=0.05) as store:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(DatabaseLocked, match="stayed locked by another process"):
            store.create_run("impatient", "optimizer", "digits-mlp", "quick", 1, {}, {})
        assert store.runs() == []
        other.execute("ROLLBACK")
        store.create_run("at-last", "optimizer", "digits-mlp", "quick", 1, {}, {})


def test_readers_and_writers_do_not_wait_for_each_other(path: Path, other: sqlite3.Connection) -> None:
    with Store(str(path), busy_seconds=0.01, wait_seconds=0.0) as store:
        other.execute("BEGIN IMMEDIATE")
        assert store.runs() == []
        assert store.check() == []
        assert run_list.runs(str(path)) == []
        other.execute("ROLLBACK")
        other.execute("BEGIN")
        other.execute("SELECT * FROM run").fetchall()
        store.create_run("unhindered", "optimizer", "digits-mlp", "quick", 1, {}, {})


@pytest.mark.slow
def test_the_error_of_a_full_disk_names_the_file_and_the_free_bytes_and_no_row_is_lost(
    path: Path, born: Callable[..., Individual]
) -> None:
    def limit(connection: sqlite3.Connection, record: object) -> None:
        connection.execute("PRAGMA max_page_count = 60")

    event.listen(Engine, "connect", limit)
    try:
        with Store(str(path)) as store:
            run = store.create_run("small", "optimizer", "digits-mlp", "quick", 1, {}, {})
            store.add_individuals(run.id, "optimizer", [born(0)])
            with pytest.raises(DiskFull, match=rf"no room to write {path}, [\d,]+ bytes are free"):
                store.add_individuals(run.id, "optimizer", [born(1), born(2, genome="x" * 300_000)])
            assert [record.birth for record in store.individuals(run.id)] == [0]
    finally:
        event.remove(Engine, "connect", limit)
    with Store(str(path)) as store:
        store.add_individuals(run.id, "optimizer", [born(1), born(2, genome="x" * 300_000)])
        assert store.check() == []
