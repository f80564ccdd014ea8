"""`germline db check` reports each broken invariant. The tests damage the database with plain SQL."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from germline.db import check
from germline.db.engine import Database
from germline.db.location import SqliteFile
from germline.db.lock_retry import LockRetry
from germline.db.records import EvaluationRecord, Individual, Snapshot, Winner
from germline.db.store import Store


@pytest.fixture
def path(
    tmp_path: Path, blank: bytes, born: Callable[..., Individual], scored: Callable[..., EvaluationRecord]
) -> Path:
    """A database with a sound, finished run, which has a cache hit and a failure."""
    path = tmp_path / "runs.db"
    path.write_bytes(blank)
    with Store(str(path)) as store:
        run = store.create_run("sound", "optimizer", "digits-mlp", "quick", 1, {}, {})
        hit = born(4, 3, fingerprint="print-2", cached_from=2)
        births = [born(0), born(1, operator="random"), born(2, 0), born(3, 1, 0), hit, born(5, 4)]
        store.add_individuals(run.id, "optimizer", births)
        store.add_evaluations(run.id, [scored(birth, fitness) for birth, fitness in enumerate([1.0, None, 3.0, 4.0])])
        winners = [Winner(0, 3), Winner(0, 3, closing=True)]
        store.add_evaluations(
            run.id, [scored(5, 0.5), scored(5, 9.0, rung=1)], winners=winners, snapshot=Snapshot(0, "state")
        )
        store.release(run.id, "finished", 1.0)
    return path


@pytest.mark.slow
def test_a_sound_database_has_no_problems(path: Path) -> None:
    with Store(str(path)) as store:
        assert store.check() == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (
            "DELETE FROM parentage WHERE birth = 3",
            "run sound: 1 birth has no parents, though the operator needs them: 3",
        ),
        (
            "UPDATE individual SET operator = 'seed' WHERE birth = 2",
            "run sound: 1 birth has parents, though the operator is 'seed': 2",
        ),
        ("UPDATE parentage SET parent = 5 WHERE birth = 2", "1 birth has a parent that was not born before it: 2"),
        ("UPDATE parentage SET parent = 99 WHERE birth = 2", "1 birth has a parent that was not born before it: 2"),
        ("UPDATE parentage SET position = 7 WHERE birth = 5", "1 birth has a gap in the list of parents: 5"),
        ("DELETE FROM individual WHERE birth = 1", "run sound: 5 births are numbered 0 to 5, with gaps"),
        ("UPDATE individual SET cached_from = 3 WHERE birth = 4", "later, different or itself cached: 4"),
        ("UPDATE individual SET cached_from = 5 WHERE birth = 4", "later, different or itself cached: 4"),
        ("UPDATE individual SET cached_from = 4, fingerprint = 'print-2' WHERE birth = 5", "itself cached: 5"),
        ("UPDATE genome SET text = text || ' ' WHERE fingerprint = 'print-3'", "its text does not match its digest"),
        ("DELETE FROM genome WHERE fingerprint = 'print-3'", "a row of individual refers to a missing row of genome"),
        ("UPDATE evaluation SET fitness = 9e999 WHERE birth = 3", "a fitness that is not finite"),
        ("UPDATE evaluation SET fitness = 1.0 WHERE status = 'diverged'", "without an ok outcome: 1"),
        ("UPDATE evaluation SET birth = 2 WHERE birth = 3", "an evaluation of another fingerprint: 2"),
        ("UPDATE evaluation SET objectives = '{\"loss\": NaN' WHERE birth = 0", "measures that cannot be read: 0"),
        ("UPDATE evaluation SET measures = '[1.0]' WHERE birth = 0", "measures that cannot be read: 0"),
        ("UPDATE winner SET block = 1 WHERE NOT closing", "run sound: 1 blocks with a winner are numbered 1 to 1"),
        ("UPDATE winner SET block = 1 WHERE closing", "run sound: a closing after block 1, which has no winner"),
        ("DELETE FROM winner WHERE NOT closing", "run sound: a closing after block 0, which has no winner"),
        ("UPDATE snapshot SET block = 1", "run sound: a snapshot after block 1, which has no winner"),
        ("UPDATE evaluation SET negative_zero = 1 WHERE birth = 3", "1 birth has a fitness that is not finite"),
        ("UPDATE winner SET birth = 1", "run sound: 1 birth has been the winner without a fitness: 1"),
        ("UPDATE winner SET birth = 4 WHERE NOT closing", "1 birth has been the winner of a block before its own: 4"),
        ("DELETE FROM evaluation WHERE birth = 0", "1 birth has no outcome, though its block has a winner: 0"),
        ("DELETE FROM evaluation WHERE birth = 0", "no outcome, though the run is finished: 0"),
        (
            "UPDATE evaluation SET task = 'other' WHERE birth = 2",
            "2 births have no outcome, though the run is finished: 2, 4",
        ),
    ],
)
def test_each_broken_invariant_is_reported(path: Path, damage: str, problem: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA ignore_check_constraints = ON")
        assert connection.execute(damage).rowcount >= 1
        connection.commit()
    with Store(str(path)) as store:
        assert problem in "\n".join(store.check())


@pytest.mark.slow
def test_an_evaluation_recorded_twice_is_reported(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        sql = connection.execute("SELECT sql FROM sqlite_master WHERE name = 'evaluation'").fetchone()[0]
        rows = connection.execute("SELECT * FROM evaluation").fetchall()
        connection.execute("DROP TABLE evaluation")
        unique = (
            "CONSTRAINT uq_evaluation_run_id_fingerprint_task_rung_seed UNIQUE (run_id, fingerprint, task, rung, seed),"
        )
        assert unique in sql
        connection.execute(sql.replace(unique, ""))
        marks = ", ".join("?" * len(rows[0]))
        connection.executemany(f"INSERT INTO evaluation VALUES ({marks})", [*rows, (99, *rows[0][1:])])
        connection.commit()
    database = Database(SqliteFile(path), LockRetry())  # a store would refuse the altered table
    with closing(database):
        problems = database.read(check.problems)
    assert "altered schema: table evaluation has another definition" in problems
    assert "run sound: 1 birth has an evaluation recorded twice: 0" in problems


@pytest.mark.slow
def test_an_index_without_a_row_of_its_table_is_reported(path: Path) -> None:
    """The index of the best lacks the row of the best, as after a lost write."""
    whole, partial = "birth)", "birth) WHERE birth <> 3"
    swap = "UPDATE sqlite_master SET sql = replace(sql, ?, ?) WHERE name = 'ix_evaluation_best'"
    for before, after in ((whole, partial), (partial, whole)):
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("REINDEX")
            connection.execute("PRAGMA writable_schema = ON")
            connection.execute(swap, (before, after))
            connection.commit()
    with Store(str(path)) as store:
        assert store.best("sound").individual.birth == 2
        assert any("missing from index ix_evaluation_best" in problem for problem in store.check())
