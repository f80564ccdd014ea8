"""Schemas that a hostile file may have.

Each mapping has, by a description, the SQL statements that change a sound database, and the words in which
`germline db check` names the change.
"""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

ENDLESS = "WITH RECURSIVE c (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c)"

REFUSED_FOR_READING = {
    "a view in the place of a table": (
        [
            "ALTER TABLE rejection RENAME TO renamed",
            f"CREATE VIEW rejection AS {ENDLESS} SELECT 1 AS run_id, x AS birth, 1 AS genomes FROM c",
        ],
        "view rejection is not Germline's",
    ),
    "a view in the place of the table of the revision": (
        [
            "ALTER TABLE germline_version RENAME TO renamed",
            "CREATE VIEW germline_version AS SELECT version_num FROM renamed",
        ],
        "view germline_version is not Germline's",
    ),
    "a generated column": (
        ["ALTER TABLE genome ADD COLUMN bomb AS (hex(zeroblob(100000000)))"],
        "table genome has another definition",
    ),
    "a default that is an expression": (
        ["ALTER TABLE control ADD COLUMN later TEXT DEFAULT 'evil'"],
        "table control has another definition",
    ),
    "a check that is an expression": (
        [
            "DROP TABLE artifact",
            "CREATE TABLE artifact (id INTEGER PRIMARY KEY, run_id, birth, target, path, sha256, created "
            "CHECK (length(hex(zeroblob(100000000))) > 0))",
        ],
        "table artifact has another definition",
    ),
    "a virtual table": (
        ["DROP TABLE artifact", "CREATE VIRTUAL TABLE artifact USING fts5 (run_id, birth)"],
        "table artifact has another definition",
    ),
    "a missing table": (["DROP TABLE winner"], "table winner is missing"),
}
REFUSED_FOR_WRITING = {
    "a trigger": (
        ["CREATE TRIGGER evil AFTER UPDATE ON run BEGIN DELETE FROM evaluation; END"],
        "trigger evil is not Germline's",
    ),
    "an index with an expression": (
        ["CREATE INDEX evil ON evaluation (length(hex(zeroblob(1000000))))"],
        "index evil is not Germline's",
    ),
    "an index that forbids rows": (
        ["CREATE UNIQUE INDEX evil ON control (run_id, request)"],
        "index evil is not Germline's",
    ),
    "an index of ours with an expression": (
        [
            "DROP INDEX ix_control_run_id",
            "CREATE INDEX ix_control_run_id ON control (length(hex(zeroblob(1000000))))",
        ],
        "index ix_control_run_id has another definition",
    ),
}
HARMLESS = {
    "an endless view of ours": (
        ["DROP VIEW v_runs", f"CREATE VIEW v_runs AS {ENDLESS} SELECT count(*) AS name FROM c"],
        "view v_runs has another definition",
    ),
    "a view of somebody": ([f"CREATE VIEW mine AS {ENDLESS} SELECT x FROM c"], "view mine is not Germline's"),
    "a table of somebody": (
        ["CREATE TABLE mine (x, y AS (hex(zeroblob(100000000))))", "INSERT INTO mine VALUES (1)"],
        "table mine is not Germline's",
    ),
    "a missing index": (["DROP INDEX ix_control_run_id"], "index ix_control_run_id is missing"),
    "a missing view": (["DROP VIEW v_best"], "view v_best is missing"),
}


def alter(path: Path, statements: Sequence[str]) -> bytes:
    """Executes SQL statements on an SQLite file, and returns the bytes of the file."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.execute("PRAGMA wal_checkpoint (TRUNCATE)")
    return path.read_bytes()
