"""Making the schema and bringing it up to date. Alembic is imported here and only when there is work (0.2 s)."""

from pathlib import Path
from typing import Final

from sqlalchemy import Connection, inspect, text

from germline.db.errors import DamagedDatabase
from germline.db.revisions import VERSION_TABLE, foreign

SCRIPTS: Final = Path(__file__).parent / "migrations"


def recorded_revision(connection: Connection, where: str) -> str | None:
    """The schema revision of the database, None if it holds no table at all.

    Raises:
        ForeignDatabase: it holds tables, but not ours.
        DamagedDatabase: it is ours and does not say its revision.
    """
    names = inspect(connection).get_table_names()
    if not names:
        return None
    if VERSION_TABLE not in names:
        raise foreign(where)
    revisions = list(connection.scalars(text(f"SELECT version_num FROM {VERSION_TABLE}")))
    if len(revisions) != 1:
        raise DamagedDatabase(f"{where} is damaged (no schema revision): restore a copy of it")
    return str(revisions[0])


def make_schema(connection: Connection, where: str) -> None:
    """Make the schema in an empty database; nothing to do if another process has just done so.

    Raises:
        ForeignDatabase: another program has filled it meanwhile.
    """
    _lock(connection)
    if recorded_revision(connection, where) is None:
        to_newest(connection)


def to_newest(connection: Connection, scripts: Path = SCRIPTS) -> None:
    """Run the missing migrations inside the connection's transaction; where none is missing, nothing happens."""
    from alembic import command
    from alembic.config import Config

    _lock(connection)
    config = Config()
    config.set_main_option("script_location", str(scripts).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _lock(connection: Connection) -> None:
    """Keep other processes from migrating at the same time; on SQLite ``BEGIN IMMEDIATE`` has done so already."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(7377658736173)"))
