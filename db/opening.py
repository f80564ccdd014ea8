"""Opens and upgrades databases. Nothing is written until the schema revision is read and known."""

from pathlib import Path

from germline.db import migrate, sqlite_file, sqlite_path
from germline.db.engine import Database
from germline.db.errors import MissingDatabase
from germline.db.location import Location, SqliteFile, locate
from germline.db.lock_retry import LockRetry
from germline.db.migrate import SCRIPTS
from germline.db.revisions import REVISIONS, require_current
from germline.db.sqlite_file import RecordedSchema


def open_database(location: Location, create: bool, retry: LockRetry, read_only: bool = False) -> Database:
    """Opens the database at ``location``, whose schema must be the newest.

    With ``create``, a missing or empty database gets the schema; several processes may do so at the same time. With
    ``read_only``, nothing is ever written through the connection.

    Raises:
        DatabaseError: the subclasses that ``Store`` lists.
    """
    if isinstance(location, SqliteFile):
        schema = _recorded_schema(location.path, retry)
        if schema is None and not create:
            raise sqlite_file.missing_database(location.path)
        if schema is None:
            sqlite_path.create_file(location.path)
        database = Database(location, retry, schema.differences if schema else None, read_only)
        revision = schema.revision if schema else None
    else:
        database = Database(location, retry, read_only=read_only)
        revision = database.read(lambda connection: migrate.recorded_revision(connection, str(location)))
        if revision is None and not create:
            database.close()
            raise MissingDatabase(f"no runs are recorded in {location}: start with `germline search`")
    try:
        if revision is None:
            database.use_write_ahead_log()
            database.write(lambda connection: migrate.create_schema(connection, str(location)))
        else:
            require_current(revision, str(location), REVISIONS)
    except BaseException:
        database.close()
        raise
    return database


def upgrade(url: str, scripts: Path = SCRIPTS, revisions: tuple[str, ...] = REVISIONS) -> tuple[str, str]:
    """Upgrades a database to the newest schema in one transaction; returns the revisions before and after.

    A SQLite file is copied first, to ``FILE.REVISION.backup`` next to it. ``scripts`` is Alembic's script folder and
    ``revisions`` lists the revisions of its scripts, oldest first.

    Raises:
        MissingDatabase, ForeignDatabase, AlteredSchema, NotADatabase, SchemaNewer, DiskFull, DatabaseLocked
    """
    location, retry = locate(url), LockRetry()
    schema = _recorded_schema(location.path, retry) if isinstance(location, SqliteFile) else None
    database = Database(location, retry, schema.differences if schema else None)
    try:
        if isinstance(location, SqliteFile):
            revision = schema.revision if schema else None
        else:
            revision = database.read(lambda connection: migrate.recorded_revision(connection, str(location)))
        if revision is None:
            raise MissingDatabase(f"no runs are recorded in {location}: name another database")
        if revision not in revisions[:-1]:
            require_current(revision, str(location), revisions)
            return revision, revision
        if isinstance(location, SqliteFile):
            database.differences.refuse_writing(str(location))
            sqlite_file.copy(location.path, _unused_backup_path(location.path, revision))
        database.write(lambda connection: migrate.run_migrations(connection, scripts))
    finally:
        database.close()
    return revision, revisions[-1]


def _recorded_schema(path: Path, retry: LockRetry) -> RecordedSchema | None:
    return retry.call(lambda: sqlite_file.recorded_schema(path, retry.busy_seconds), str(path))


def _unused_backup_path(path: Path, revision: str) -> Path:
    backup = path.with_name(f"{path.name}.{revision}.backup")
    number = 2
    while backup.exists():
        backup = path.with_name(f"{path.name}.{revision}.backup-{number}")
        number += 1
    return backup
