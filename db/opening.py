"""Opens databases. A file is only written to after it proved to be a whole Germline database of a known schema."""

from pathlib import Path

from germline.db import migrate, sqlite_file
from germline.db.engine import Database
from germline.db.errors import MissingDatabase
from germline.db.location import Location, SqliteFile, locate
from germline.db.lock_retry import Patience
from germline.db.migrate import SCRIPTS
from germline.db.revisions import REVISIONS, require_current


def open_database(location: Location, create: bool, patience: Patience) -> Database:
    """The database at ``location``, at the newest schema.

    A place that holds nothing yet gets the schema if ``create``; two processes may do so at once.

    Raises:
        DatabaseError: see ``Store``.
    """
    if isinstance(location, SqliteFile):
        revision = _look(location.path, patience)
        if revision is None and not create:
            raise sqlite_file.missing(location.path)
        if revision is None:
            sqlite_file.require_folder(location.path)
        database = Database(location, patience)
    else:
        database = Database(location, patience)
        revision = database.read(lambda connection: migrate.recorded_revision(connection, str(location)))
        if revision is None and not create:
            database.close()
            raise MissingDatabase(f"no runs are recorded in {location}: start with `germline search`")
    try:
        if revision is None:
            database.drive()
            database.write(lambda connection: migrate.make_schema(connection, str(location)))
        else:
            require_current(revision, str(location), REVISIONS)
    except BaseException:
        database.close()
        raise
    return database


def upgrade(url: str, scripts: Path = SCRIPTS, revisions: tuple[str, ...] = REVISIONS) -> tuple[str, str]:
    """Brings a database to the newest schema in one transaction; returns the revisions before and after.

    A SQLite file is copied first, to ``FILE.REVISION.backup`` next to it. ``scripts`` holds the migrations and
    ``revisions`` names them.

    Raises:
        MissingDatabase, ForeignDatabase, NotADatabase, SchemaNewer, DiskFull, DatabaseLocked
    """
    location, patience = locate(url), Patience()
    database = Database(location, patience)
    try:
        if isinstance(location, SqliteFile):
            revision = _look(location.path, patience)
        else:
            revision = database.read(lambda connection: migrate.recorded_revision(connection, str(location)))
        if revision is None:
            raise MissingDatabase(f"no runs are recorded in {location}: name another database")
        if revision not in revisions[:-1]:
            require_current(revision, str(location), revisions)
            return revision, revision
        if isinstance(location, SqliteFile):
            sqlite_file.copy(location.path, _free_name(location.path, revision))
        database.write(lambda connection: migrate.to_newest(connection, scripts))
    finally:
        database.close()
    return revision, revisions[-1]


def _look(path: Path, patience: Patience) -> str | None:
    return patience.until_free(str(path), lambda: sqlite_file.look(path, patience.busy_seconds))


def _free_name(path: Path, revision: str) -> Path:
    name = path.with_name(f"{path.name}.{revision}.backup")
    number = 2
    while name.exists():
        name = path.with_name(f"{path.name}.{revision}.backup-{number}")
        number += 1
    return name
