"""Commands on a database that somebody else has prepared: nothing of it is executed, and `db check` names it."""

import hashlib
import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

ENDLESS = "WITH RECURSIVE c (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c)"
VIEW = ("DROP VIEW v_runs", f"CREATE VIEW v_runs AS {ENDLESS} SELECT count(*) AS name FROM c")
TRIGGERS = (
    "CREATE TRIGGER evil AFTER INSERT ON artifact BEGIN DELETE FROM evaluation; END",
    "CREATE TRIGGER worse AFTER UPDATE ON run BEGIN DELETE FROM evaluation; END",
)
NO_TABLE = (
    "ALTER TABLE rejection RENAME TO renamed",
    f"CREATE VIEW rejection AS {ENDLESS} SELECT 1 AS run_id, x AS birth, 1 AS genomes FROM c",
)
READING = (("runs",), ("top", "first"), ("show", "first"), ("lineage", "first"), ("curve", "first"), ("doctor",))


def alter(path: Path, statements: tuple[str, ...]) -> bytes:
    with closing(sqlite3.connect(path)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()
        connection.execute("PRAGMA wal_checkpoint (TRUNCATE)")
    return hashlib.sha256(path.read_bytes()).digest()


@pytest.mark.slow
@pytest.mark.parametrize("statements", [VIEW, TRIGGERS], ids=["view", "triggers"])
def test_reading_a_database_executes_nothing_of_it(germline: Any, copied: Path, statements: tuple[str, ...]) -> None:
    before = alter(copied, statements)
    for command in READING:
        assert germline(*command, db=copied).exit_code == 0
    checked = germline("db", "check", db=copied)
    assert checked.exit_code == 1
    assert "altered schema: " in checked.stdout and statements[-1].split()[2] in checked.stdout
    assert hashlib.sha256(copied.read_bytes()).digest() == before


@pytest.mark.slow
def test_triggers_do_not_fire(germline: Any, copied: Path, tmp_path: Path) -> None:
    before = alter(copied, TRIGGERS)
    exported = germline("export", "first", "-o", tmp_path / "found.py", db=copied)
    assert exported.exit_code == 0 and (tmp_path / "found.py").exists()
    assert "Warning: the file is written, but not recorded in the run: expected the schema" in exported.stderr
    for command in (("resume", "first", "--births", "70"), ("search", "optimizer", "--births", "1")):
        done = germline(*command, db=copied)
        assert (done.exit_code, done.stdout, done.stderr.count("\n")) == (1, "", 1), done.stderr
        assert "trigger evil is not Germline's" in done.stderr
    assert hashlib.sha256(copied.read_bytes()).digest() == before


def test_a_view_in_the_place_of_a_table_is_not_read(germline: Any, copied: Path) -> None:
    before = alter(copied, NO_TABLE)
    for command in (*READING[:-1], ("db", "upgrade"), ("resume", "first")):
        done = germline(*command, db=copied)
        assert (done.exit_code, done.stdout, done.stderr.count("\n")) == (1, "", 1), done.stderr
        assert "table rejection is missing" in done.stderr and "it was not read" in done.stderr
    checked = germline("db", "check", "--json", db=copied)
    assert checked.exit_code == 1
    assert "altered schema: view rejection is not Germline's" in json.loads(checked.stdout)["problems"]
    assert hashlib.sha256(copied.read_bytes()).digest() == before
