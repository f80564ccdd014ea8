"""Creates and upgrades the schema. A new database gets the declared schema; Alembic, which takes 0.2 s to import, only
migrates."""

from pathlib import Path
from typing import Final

from sqlalchemy import Connection, inspect, text

from germline.db.errors import DamagedDatabase
from germline.db.revisions import REVISIONS, VERSION_TABLE, foreign_database
from germline.db.schema import metadata
from germline.db.views import VIEWS

SCRIPTS: Final = Path(__file__).parent / "migrations"

_VERSION: Final = f"""
CREATE TABLE {VERSION_TABLE} (
    version_num VARCHAR(32) NOT NULL,
    CONSTRAINT {VERSION_TABLE}_pkc PRIMARY KEY (version_num)
)
"""
"""The table in which Alembic looks for the revision of a database, as Alembic creates it."""


def recorded_revision(connection: Connection, where: str) -> str | None:
    """The schema revision of the database; None if it has no tables.

    Raises:
        ForeignDatabase: it has tables, but no table of schema revisions.
        DamagedDatabase: the table of schema revisions does not have exactly one row.
    """
    names = inspect(connection).get_table_names()
    if not names:
        return None
    if VERSION_TABLE not in names:
        raise foreign_database(where)
    revisions = list(connection.scalars(text(f"SELECT version_num FROM {VERSION_TABLE}")))
    if len(revisions) != 1:
        raise DamagedDatabase(f"{where} is damaged (no schema revision): restore a copy of it")
    return str(revisions[0])


def create_schema(connection: Connection, where: str) -> None:
    """Creates the newest schema in an empty database, unless another process has just created it.

    Raises:
        ForeignDatabase: another program has created tables in it meanwhile.
    """
    _lock(connection)
    if recorded_revision(connection, where) is not None:
        return
    metadata.create_all(connection, checkfirst=False)
    for statement in (*VIEWS.values(), _VERSION, f"INSERT INTO {VERSION_TABLE} VALUES ('{REVISIONS[-1]}')"):
        connection.execute(text(statement))


def run_migrations(connection: Connection, scripts: Path = SCRIPTS, revision: str = "head") -> None:
    """Runs the migrations that the database has not had yet, inside the transaction of the connection.

    ``scripts`` is Alembic's script folder, ``revision`` the last migration to run.
    """
    from alembic import command
    from alembic.config import Config

    _lock(connection)
    config = Config()
    config.set_main_option("script_location", str(scripts).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def _lock(connection: Connection) -> None:
    """Prevents other processes from migrating at the same time; on SQLite ``BEGIN IMMEDIATE`` already does."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(7377658736173)"))
