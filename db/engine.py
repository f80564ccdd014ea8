"""A connection to the database, and transactions that are repeated while the database is locked.

Python's SQLite module is kept from beginning transactions by itself (SQLAlchemy's recipe), so that a write begins with
``BEGIN IMMEDIATE``. It then takes the write lock before it reads, and cannot find the database locked half-way. If the
database is still locked after the busy time-out, the transaction is rolled back and repeated (``LockRetry``).
"""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, NoSuchModuleError
from sqlalchemy.pool import QueuePool

from germline.db.errors import (
    BadUrl,
    DatabaseError,
    DatabaseLocked,
    DiskFull,
    RecordConflict,
    Unreachable,
)
from germline.db.file_schema import Differences
from germline.db.location import EXAMPLES, Location, Server, SqliteFile
from germline.db.lock_retry import LockRetry
from germline.db.passwords import hide_passwords
from germline.db.sqlite_connection import GuardedConnection, as_database_error
from germline.db.sqlite_connection import connect as connect_file

T = TypeVar("T")

_LOCKED_SQLSTATES = ("40001", "40P01", "55P03")  # serialization failure, deadlock, lock not available
_DISK_FULL_SQLSTATE = "53100"


class Database:
    """A database with one connection.

    ``read`` and ``write`` call a function in a transaction, and call it again if the database was locked. All methods
    raise subclasses of ``DatabaseError``. ``differences`` are those of a SQLite file's schema from Germline's.
    """

    def __init__(
        self,
        location: Location,
        retry: LockRetry,
        differences: Differences | None = None,
        read_only: bool = False,
    ) -> None:
        self.location = location
        self.differences = differences or Differences()
        self._retry = retry
        self._log_in_use = False
        if isinstance(location, SqliteFile):
            engine = _sqlite_engine(location, retry.busy_seconds, read_only)
            self._reader = engine.execution_options()
            self._writer = engine.execution_options(germline_begin=("PRAGMA synchronous = FULL", "BEGIN IMMEDIATE"))
            self._quick_writer = engine.execution_options(
                germline_begin=("PRAGMA synchronous = NORMAL", "BEGIN IMMEDIATE")
            )
        else:
            engine = _server_engine(location, retry.busy_seconds, read_only)
            self._reader = engine.execution_options(isolation_level="REPEATABLE READ")
            self._writer = engine.execution_options()

    def read(self, work: Callable[[Connection], T]) -> T:
        """Returns ``work(connection)``, in a transaction without a write lock.

        All queries of ``work`` see the same state of the database.
        """
        return self._call(lambda: self._transact(self._reader, work))

    def write(self, work: Callable[[Connection], T], synced: bool = True) -> T:
        """Returns ``work(connection)``, in a transaction that is committed unless ``work`` raises.

        ``work`` may be called more than once. The disk has the transaction when this returns; if ``synced`` is False,
        perhaps only after the next write, so that a loss of power may take it. Whatever ends a process takes nothing.

        Raises:
            AlteredSchema: something of the file could act when rows are written.
        """
        self.differences.refuse_writing(str(self.location))
        quick = self._log_in_use and not synced  # without a log, the file itself would be at risk
        return self._call(lambda: self._transact(self._quick_writer if quick else self._writer, work))

    def use_write_ahead_log(self) -> None:
        """Switches a SQLite file to a write-ahead log, so that reads and writes do not wait for each other.

        Called by the driver of a run: only its connection copies the log into the file from time to time, so that a
        reader never writes. Nothing changes on a file system without support for the log, or on a server.

        Raises:
            AlteredSchema: something of the file could act when rows are written.
        """
        if isinstance(self.location, SqliteFile):
            self.differences.refuse_writing(str(self.location))
            path = self.location.path
            self._log_in_use = self._call(lambda: _use_write_ahead_log(self._reader, path))

    def close(self) -> None:
        """Closes the connection; the next transaction opens a new one."""
        self._reader.dispose()

    def _call(self, operation: Callable[[], T]) -> T:
        return self._retry.call(operation, str(self.location))

    def _transact(self, engine: Engine, work: Callable[[Connection], T]) -> T:
        try:
            with engine.begin() as connection:
                return work(connection)
        except DBAPIError as error:
            raise _as_database_error(error, self.location) from error
        except UnicodeDecodeError as error:
            if isinstance(self.location, SqliteFile):
                raise as_database_error(error, self.location.path) from error
            raise


def _sqlite_engine(location: SqliteFile, busy_seconds: float, read_only: bool) -> Engine:
    def connect() -> sqlite3.Connection:
        mode = "ro" if read_only else "rw" if location.path.exists() else "rwc"
        connection = connect_file(location.path, mode, busy_seconds=busy_seconds)
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA wal_autocheckpoint = 0")  # only the driver of a run copies the log into the file
        return connection

    engine = create_engine("sqlite://", creator=connect, poolclass=QueuePool, pool_size=1, max_overflow=0)

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        for statement in connection.get_execution_options().get("germline_begin", ("BEGIN",)):
            connection.exec_driver_sql(statement)

    @event.listens_for(engine, "before_cursor_execute")
    def begin_statement(connection: Connection, *statement: object) -> None:
        driver = connection.connection.driver_connection
        assert isinstance(driver, GuardedConnection)
        driver.begin_statement()

    return engine


def _server_engine(location: Server, busy_seconds: float, read_only: bool) -> Engine:
    try:
        url = make_url(location.url)
        options = f"{url.query.get('options', '')} -c lock_timeout={max(1, round(busy_seconds * 1000))}"
        if read_only:
            options += " -c default_transaction_read_only=on"
        # A reader waits for hours between two pages: a connection that the server has closed since is replaced.
        given: dict[str, Any] = {"connect_args": {"options": options.strip()}, "pool_pre_ping": read_only}
        return create_engine(url, pool_size=1, max_overflow=0, **given)
    except (ArgumentError, NoSuchModuleError, ValueError) as error:
        cause = hide_passwords(str(error), location.url)
        raise BadUrl(f"expected a database URL, got {location} ({cause}): {EXAMPLES}") from error
    except ModuleNotFoundError as error:
        raise Unreachable(f"{location} needs {error.name}: run `pip install 'germline[postgres]'`") from error


def _use_write_ahead_log(engine: Engine, path: Path) -> bool:
    """True if the file has a write-ahead log now."""
    with engine.connect() as connection:
        driver = connection.connection.driver_connection
        assert isinstance(driver, sqlite3.Connection)
        try:
            mode = driver.execute("PRAGMA journal_mode = WAL").fetchall()
            driver.execute("PRAGMA wal_autocheckpoint = 1000").fetchall()
            return mode == [("wal",)]
        except sqlite3.Error as error:
            raise as_database_error(error, path) from error


def _as_database_error(error: DBAPIError, location: Location) -> DatabaseError:
    cause: Any = error.orig
    if isinstance(error, IntegrityError):
        return RecordConflict(str(cause).partition("\n")[0])
    if isinstance(location, SqliteFile):
        return as_database_error(cause, location.path)
    state = getattr(cause, "sqlstate", None)
    message = hide_passwords(" ".join(str(cause).split()), location.url)
    if state in _LOCKED_SQLSTATES:
        return DatabaseLocked(f"{location} is locked by another process")
    if state == _DISK_FULL_SQLSTATE:
        return DiskFull(f"the server of {location} has no room left ({message}): free some space, then go on")
    if state is None:
        return Unreachable(f"{location} cannot be reached ({message}): check that the server runs and the URL is right")
    return DatabaseError(f"{location}: {message}")
