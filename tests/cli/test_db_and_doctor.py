"""`db` and `doctor`: the database and the machine."""

import os
import pty
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from command_process import start_command

from germline.cli.commands import doctor
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


@pytest.mark.parametrize(
    ("facts", "text"),
    [
        ({"tried": False}, "not tried (--ray starts it)"),
        ({"tried": True, "status": "ok", "seconds": 3.1}, "scored a program in 3.1 s"),
        ({"tried": True, "problem": "no free port"}, "failed"),
        ({"tried": True, "status": "crashed", "seconds": 3.1, "problem": "the outcome is crashed"}, "failed"),
    ],
)
def test_doctor_says_of_ray_what_came_of_the_trial(facts: dict[str, Any], text: str) -> None:
    assert doctor._ray_text(facts) == text


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


def test_a_run_is_renamed(germline: Any, data: Any, copied: Path) -> None:
    done = germline("db", "rename", "first", "second", db=copied)
    assert done.exit_code == 0 and done.stdout == "renamed first to second\n"
    assert [run["name"] for run in data("runs", db=copied)] == ["second", "waiting"]
    assert data("db", "replay", "second", db=copied)["ok"] is True
    taken = germline("db", "rename", "second", "waiting", db=copied)
    assert taken.exit_code == 2 and "exists already" in taken.stderr
    file = germline("db", "rename", "second", "second.json", db=copied)
    assert file.exit_code == 2 and "would read as a file" in file.stderr


def test_a_run_is_deleted_only_with_yes_or_an_answer(germline: Any, data: Any, copied: Path) -> None:
    refused = germline("db", "delete", "first", db=copied)
    assert refused.exit_code == 2 and "expected --yes to delete first (60 births) for good" in refused.stderr
    unknown = germline("db", "delete", "first", "frist", "--yes", db=copied)
    assert unknown.exit_code == 2 and "did you mean 'first'" in unknown.stderr
    assert [run["name"] for run in data("runs", db=copied)] == ["first", "waiting"]
    assert data("db", "delete", "first", "--yes", db=copied) == [{"run": "first", "births": 60}]
    assert [run["name"] for run in data("runs", db=copied)] == ["waiting"]
    assert data("db", "check", db=copied)["ok"] is True


@pytest.mark.slow
@pytest.mark.parametrize(("answer", "left"), [("n\n", ["first", "waiting"]), ("y\n", ["waiting"])])
def test_on_a_terminal_deleting_asks(data: Any, copied: Path, answer: str, left: list[str]) -> None:
    ours, theirs = pty.openpty()
    with start_command("db", "delete", "first", database=copied, stdin=theirs, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        os.write(ours, answer.encode())
        process.wait(60)
    os.close(ours)
    assert [run["name"] for run in data("runs", db=copied)] == left


def test_a_run_is_found_by_its_tag(germline: Any, data: Any, copied: Path) -> None:
    assert "tags" not in germline("runs", db=copied).stdout
    assert germline("db", "tag", "first", "paper", "fig-2", db=copied).stdout == "first: fig-2 paper\n"
    assert [run["name"] for run in data("runs", "--tag", "paper", "--tag", "fig-2", db=copied)] == ["first"]
    assert "fig-2 paper" in germline("runs", db=copied).stdout
    assert data("db", "tag", "first", "paper", "--remove", db=copied) == {"run": "first", "tags": ["fig-2"]}
    nothing = germline("runs", "--tag", "paper", db=copied)
    assert nothing.exit_code == 0 and nothing.stderr == "no run has the tag paper\n"
    wrong = germline("db", "tag", "first", "two words", db=copied)
    assert wrong.exit_code == 2 and "expected a tag of at most 64 letters" in wrong.stderr
