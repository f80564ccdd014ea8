"""One connection to the database, and transactions that wait for their turn.

SQLite is told to begin no transaction by itself (SQLAlchemy's recipe), so that a write begins with ``BEGIN
IMMEDIATE``: it takes the write lock before it reads, and can then no longer fail half-way. Whoever still finds the
database locked after the busy time-out rolls back and tries again, saying so.
"""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, NoSuchModuleError
from sqlalchemy.pool import QueuePool

from germline.db import sqlite_file
from germline.db.errors import (
    BadUrl,
    DatabaseError,
    DatabaseLocked,
    DiskFull,
    RecordConflict,
    Unreachable,
)
from germline.db.location import EXAMPLES, Location, Server, SqliteFile
from germline.db.lock_retry import Patience

T = TypeVar("T")

_LOCKED_SQLSTATES = ("40001", "40P01", "55P03")  # serialization failure, deadlock, lock not available
_DISK_FULL_SQLSTATE = "53100"


class Database:
    """An engine of one connection; ``read`` and ``write`` run a function in a transaction, again if it was locked."""

    def __init__(self, location: Location, patience: Patience) -> None:
        self.location = location
        self._patience = patience
        if isinstance(location, SqliteFile):
            self._reader = _sqlite_engine(location, patience.busy_seconds)
        else:
            self._reader = _server_engine(location, patience.busy_seconds)
        self._writer = self._reader.execution_options(germline_begin="IMMEDIATE")

    def read(self, work: Callable[[Connection], T]) -> T:
        """``work(connection)`` on one consistent state of the database; it takes no write lock."""
        return self._patiently(lambda: self._transact(self._reader, work))

    def write(self, work: Callable[[Connection], T]) -> T:
        """``work(connection)`` as one transaction that is committed whole or not at all; it may run more than once."""
        return self._patiently(lambda: self._transact(self._writer, work))

    def drive(self) -> None:
        """Make this the connection of a driver: its writes and others' reads do not wait for each other.

        A SQLite file gets a write-ahead log (where the file system has none to offer, it stays as it is), which this
        connection, and no viewer's, empties into the file from time to time.
        """
        if isinstance(self.location, SqliteFile):
            path = self.location.path
            self._patiently(lambda: _use_log(self._reader, path))

    def close(self) -> None:
        """Give the connection back; the next use opens another."""
        self._reader.dispose()

    def _patiently(self, attempt: Callable[[], T]) -> T:
        return self._patience.until_free(str(self.location), attempt)

    def _transact(self, engine: Engine, work: Callable[[Connection], T]) -> T:
        try:
            with engine.begin() as connection:
                return work(connection)
        except DBAPIError as error:
            raise _explain(error, self.location) from error
        except UnicodeDecodeError as error:
            if isinstance(self.location, SqliteFile):
                raise sqlite_file.explain(error, self.location.path) from error
            raise


def _sqlite_engine(location: SqliteFile, busy_seconds: float) -> Engine:
    def connect() -> sqlite3.Connection:
        connection = sqlite_file.connect(
            location.path, "rw" if location.path.exists() else "rwc", busy_seconds=busy_seconds
        )
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA wal_autocheckpoint = 0")  # the driver of a run alone empties the log
        return connection

    engine = create_engine("sqlite://", creator=connect, poolclass=QueuePool, pool_size=1, max_overflow=0)

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        mode = connection.get_execution_options().get("germline_begin", "")
        connection.exec_driver_sql(f"BEGIN {mode}")

    return engine


def _server_engine(location: Server, busy_seconds: float) -> Engine:
    try:
        url = make_url(location.url)
        options = f"{url.query.get('options', '')} -c lock_timeout={max(1, round(busy_seconds * 1000))}"
        return create_engine(url, pool_size=1, max_overflow=0, connect_args={"options": options.strip()})
    except (ArgumentError, NoSuchModuleError, ValueError) as error:
        raise BadUrl(f"{location} is no database URL ({error}): {EXAMPLES}") from error
    except ModuleNotFoundError as error:
        raise Unreachable(f"{location} needs {error.name}: run `pip install 'germline[postgres]'`") from error


def _use_log(engine: Engine, path: Path) -> None:
    with engine.connect() as connection:
        driver = connection.connection.driver_connection
        assert isinstance(driver, sqlite3.Connection)
        try:
            driver.execute("PRAGMA journal_mode = WAL").fetchall()
            driver.execute("PRAGMA wal_autocheckpoint = 1000").fetchall()
        except sqlite3.Error as error:
            raise sqlite_file.explain(error, path) from error


def _explain(error: DBAPIError, location: Location) -> DatabaseError:
    cause: Any = error.orig
    if isinstance(error, IntegrityError):
        return RecordConflict(str(cause).partition("\n")[0])
    if isinstance(location, SqliteFile):
        return sqlite_file.explain(cause, location.path)
    state = getattr(cause, "sqlstate", None)
    message = " ".join(str(cause).split())
    if state in _LOCKED_SQLSTATES:
        return DatabaseLocked(f"{location} is locked by another process")
    if state == _DISK_FULL_SQLSTATE:
        return DiskFull(f"the server of {location} has no room left ({message}): free some, then go on")
    if state is None:
        return Unreachable(f"{location} cannot be reached ({message}): see that the server runs and the URL is right")
    return DatabaseError(f"{location}: {message}")
