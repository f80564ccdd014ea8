"""A command that meets a damaged record says so in one line, and a search does not go on with it."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from germline.cli.main import cli

SMALL = ("population=6", "candidates=2", "review_episodes=2", "test_episodes=2", "steps=20")


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A run of policies, ``cp``."""
    path = tmp_path_factory.mktemp("played") / "runs.db"
    options = [part for setting in SMALL for part in ("--set", setting)]
    search = ["search", "policy", "--executor", "inline", "--births", "12", "--name", "cp", *options]
    done = CliRunner().invoke(cli, search, env={"GERMLINE_DB": str(path)})
    assert done.exit_code == 0, done.output
    return path.read_bytes()


def damage(path: Path, statement: str) -> list[Any]:
    """What was recorded, after a statement was run behind the store's back."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA ignore_check_constraints = ON")
        assert connection.execute(statement).rowcount >= 1
        connection.commit()
    return recorded(path)


def recorded(path: Path) -> list[Any]:
    with closing(sqlite3.connect(path)) as connection:
        return [connection.execute(f"SELECT * FROM {table}").fetchall() for table in ("individual", "evaluation")]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("statement", "command", "told"),
    [
        (
            "UPDATE evaluation SET measures = json_set(measures, '$.frames', 'nan') WHERE rung = 1",
            "resume cp --births 24 --executor inline",
            "expected frames to be a count, got nan",
        ),
        (
            "UPDATE evaluation SET measures = json_set(measures, '$.frames', 'inf')",
            "curve cp",
            "expected frames to be a count, got inf",
        ),
        (
            "UPDATE evaluation SET measures = json_set(measures, '$.episodes', 'nan') WHERE rung = 2",
            "compare cp cp",
            "expected episodes to be a count, got nan",
        ),
        ("UPDATE run SET seed = 'abc'", "resume cp --births 24 --executor inline", "expected seed of type int"),
        (
            "UPDATE run SET seed = -5",
            "resume cp --births 24 --executor inline",
            "expected seed to be 0 or more, got -5",
        ),
        ("UPDATE run SET seconds = 'abc'", "runs", "expected seconds of type float, got 'abc'"),
        ("UPDATE evaluation SET fitness = 'abc' WHERE rung = 0", "show cp", "expected fitness of type float or None"),
        ("UPDATE evaluation SET seed = 'abc' WHERE rung = 2", "top cp", "expected seed of type int, got 'abc'"),
        ("UPDATE evaluation SET worker = x'00ff'", "show cp --json", "expected worker of type str"),
        ("UPDATE individual SET block = 'abc' WHERE birth = 3", "draw cp -o cp.svg", "expected block of type int"),
        ("UPDATE genome SET text = x'ff', base = NULL", "lineage cp", "expected genome of type str"),
    ],
)
def test_a_damaged_record_is_one_line_and_nothing_is_recorded(
    played: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, statement: str, command: str, told: str
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "runs.db"
    path.write_bytes(played)
    before = damage(path, statement)
    done = CliRunner().invoke(cli, command.split(), env={"GERMLINE_DB": str(path)})
    assert done.exit_code == 1 and isinstance(done.exception, SystemExit)
    assert told in done.stderr and done.stdout == ""
    assert done.stderr.startswith("Error: ") and "cannot be read" in done.stderr
    assert done.stderr.count("\n") == 1
    assert recorded(path) == before and not (tmp_path / "cp.svg").exists()
    checked = CliRunner().invoke(cli, ["db", "check"], env={"GERMLINE_DB": str(path)})
    assert checked.exit_code == 1
    assert any(problem in checked.stdout for problem in ("wrong type", "cannot be read", "a seed below 0"))


@pytest.mark.slow
def test_a_cache_hit_with_another_fingerprint_than_its_source_is_one_line(germline: Any, copied: Path) -> None:
    hit = "(SELECT max(birth) FROM individual WHERE cached_from IS NOT NULL)"
    before = damage(copied, f"UPDATE individual SET fingerprint = upper(fingerprint) WHERE birth = {hit}")
    done = germline("resume", "first", "--births", "70", "--executor", "inline", "--device", "cpu", db=copied)
    assert done.exit_code == 1 and isinstance(done.exception, SystemExit)
    assert done.stderr.splitlines()[-1].startswith("Error: birth ") and "another fingerprint" in done.stderr
    assert recorded(copied) == before
    assert germline("db", "check", db=copied).exit_code == 1


@pytest.mark.slow
@pytest.mark.parametrize("command", ["resume cp --births 24", "validate cp", "describe cp", "show cp"])
def test_a_kind_of_a_later_version_is_an_error_of_one_line(played: bytes, tmp_path: Path, command: str) -> None:
    path = tmp_path / "runs.db"
    path.write_bytes(played)
    damage(path, "UPDATE run SET kind = 'poem'")
    done = CliRunner().invoke(cli, command.split(), env={"GERMLINE_DB": str(path)})
    assert done.exit_code == 2 and done.stderr.count("\n") == 1
    known = "this version knows optimizer, architecture, policy"
    assert done.stderr == f"Error: expected a kind of genome, got 'poem'; {known}\n"


@pytest.mark.slow
def test_a_run_of_another_kind_goes_on_whatever_its_measures_are_called(germline: Any, copied: Path) -> None:
    damage(copied, "UPDATE evaluation SET measures = json_set(measures, '$.frames', 'nan')")
    done = germline("resume", "first", "--births", "70", "--executor", "inline", "--device", "cpu", db=copied)
    assert done.exit_code == 0, done.output
    assert germline("db", "check", db=copied).exit_code == 0
