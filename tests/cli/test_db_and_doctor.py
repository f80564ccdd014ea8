"""`db` and `doctor`: the database and the machine."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from germline.cli.machine_facts import WAL_FIXED

Data = Callable[..., Any]


@pytest.mark.slow
def test_check_of_a_sound_database_prints_ok_and_counts(germline: Any, data: Data) -> None:
    assert germline("db", "check").stdout.startswith("ok: 2 runs, 60 births, ")
    row = data("db", "check")
    assert (row["ok"], row["problems"], row["runs"], row["births"]) == (True, [], 2, 60)


@pytest.mark.slow
def test_check_lists_what_is_wrong_and_fails(germline: Any, copied: Path) -> None:
    with closing(sqlite3.connect(copied)) as connection:
        connection.execute("UPDATE genome SET text = text || ' ' WHERE digest = (SELECT min(digest) FROM genome)")
        connection.commit()
    result = germline("db", "check", db=copied)
    assert result.exit_code == 1
    assert "its text does not match its digest" in result.stdout
    assert "1 problem found" in result.stderr
    assert germline("db", "check", "--json", db=copied).exit_code == 1


def test_upgrade_of_a_new_database_has_nothing_to_do(germline: Any, data: Data, copied: Path) -> None:
    assert "up to date" in germline("db", "upgrade", db=copied).stdout
    row = data("db", "upgrade", db=copied)
    assert row["before"] == row["after"]


def test_backup_is_a_database_with_the_same_runs(germline: Any, data: Data, tmp_path: Path) -> None:
    row = data("db", "backup", tmp_path / "copy.db")
    assert row["bytes"] == (tmp_path / "copy.db").stat().st_size
    assert data("runs", db=tmp_path / "copy.db") == data("runs")
    again = germline("db", "backup", tmp_path / "copy.db")
    assert again.exit_code == 2 and "exists already" in again.stderr


def test_doctor_prints_versions_machine_and_database(data: Data, germline: Any, searched: Path) -> None:
    found = data("doctor")
    assert set(found) == {"versions", "machine", "torch", "sqlite", "database", "ray", "problems"}
    assert found["problems"] == [] and found["ray"] == {"tried": False}
    assert found["machine"]["cores"] >= 1 and found["torch"]["devices"][0] == "cpu"
    assert (found["database"]["where"], found["database"]["runs"]) == (str(searched), 2)
    assert found["sqlite"]["wal_reset_bug"] == (sqlite3.sqlite_version_info < WAL_FIXED)
    text = germline("doctor").stdout
    assert str(searched) in text and sqlite3.sqlite_version in text


def test_doctor_fails_on_a_file_that_is_no_database(germline: Any, tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("not a database")
    result = germline("doctor", db=path)
    assert result.exit_code == 1 and "not a SQLite database" in result.stderr


def test_doctor_has_no_problem_without_a_database(data: Data, tmp_path: Path) -> None:
    assert data("doctor", db=tmp_path / "none.db")["database"]["runs"] == 0
    assert list(tmp_path.iterdir()) == []
