"""A database of an earlier schema, with the rows of a database of today."""

import sqlite3
from contextlib import closing
from pathlib import Path

from germline.db import migrate
from germline.db.engine import Database
from germline.db.location import SqliteFile
from germline.db.lock_retry import LockRetry


def whole_texts(source: Path, path: Path) -> None:
    """Writes a database of schema 0007, the last in which all texts of genomes are whole, with the rows of another."""
    with closing(Database(SqliteFile(path), LockRetry())) as database:
        database.write(lambda connection: migrate.run_migrations(connection, revision="0007"))
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("ATTACH ? AS later", (str(source),))
        tables = (
            "SELECT name FROM main.sqlite_master WHERE type = 'table' AND name NOT IN ('genome', 'germline_version')"
        )
        connection.execute("BEGIN")
        connection.execute("INSERT INTO main.genome SELECT digest, kind, fingerprint, text FROM later.v_genomes")
        for (table,) in connection.execute(tables).fetchall():
            connection.execute(f"INSERT INTO main.{table} SELECT * FROM later.{table}")
        connection.execute("COMMIT")
