"""Connections to SQLite files through the standard library, and what their errors mean.

A file may come from anywhere. A connection lets its schema call no function with effects outside of the file, and ends
statements that a file of its size cannot need.

SQLAlchemy is not imported (0.3 s), because ``germline runs`` must answer sooner.
"""

import os
import sqlite3
from pathlib import Path
from typing import Final

from germline.db.errors import BadPath, DamagedDatabase, DatabaseError, DatabaseLocked, NotADatabase, ReadOnlyDatabase
from germline.db.sqlite_path import disk_full

FAILURES: Final = (sqlite3.Error, UnicodeDecodeError)
"""The exceptions of Python's SQLite module; it raises UnicodeDecodeError for the schema of a damaged file."""

_STEPS_PER_CALL: Final = 1_000_000
_STEPS_OF_ANY_FILE: Final = 50_000_000
_STEPS_PER_BYTE: Final = 10
"""A statement may take `_STEPS_OF_ANY_FILE` steps of SQLite's virtual machine, and this many more for each byte of the
file. The longest of Germline's, a check of all pages, takes less than one for each byte."""

_NO_ROOM: Final = (
    sqlite3.SQLITE_IOERR_WRITE,
    sqlite3.SQLITE_IOERR_FSYNC,
    sqlite3.SQLITE_IOERR_TRUNCATE,
    sqlite3.SQLITE_IOERR_SHMSIZE,
)
"""What SQLite reports besides ``SQLITE_FULL`` when a quota, a limit on file sizes or the disk ends a write."""


class GuardedConnection(sqlite3.Connection):
    """A connection that ends a statement which takes more steps than the pages of its file can need.

    In a sound file no statement does. In a damaged or hostile file pages may point to each other in circles.
    """

    def guard(self, path: Path) -> None:
        """Begins to count the steps of statements on the file at ``path``."""
        self._path = path
        self.begin_statement()
        self.set_progress_handler(self._end_if_endless, _STEPS_PER_CALL)

    def begin_statement(self) -> None:
        """Counts from zero again."""
        self._steps = 0

    def _end_if_endless(self) -> bool:
        self._steps += _STEPS_PER_CALL
        return self._steps > _STEPS_OF_ANY_FILE and self._steps > _STEPS_OF_ANY_FILE + _STEPS_PER_BYTE * self._bytes()

    def _bytes(self) -> int:
        return sum(file.stat().st_size for file in (self._path, Path(f"{self._path}-wal")) if file.exists())


def connect(path: Path, mode: str, busy_seconds: float = 5.0) -> GuardedConnection:
    """Returns a connection that begins no transaction by itself.

    Args:
        path: the file.
        mode: ``ro``, ``rw`` or ``rwc`` (created if missing), as in SQLite's URIs, or ``immutable``: read-only, assuming
            that no process writes to the file, so that SQLite takes no lock and creates no file next to it.
        busy_seconds: how long SQLite waits for a lock.

    A file that is not writable is opened read-only. In a read-only folder SQLite cannot create the index of a
    write-ahead log; if there is no log either, the file is opened as immutable.

    Raises:
        sqlite3.Error: SQLite's own error, which ``as_database_error`` turns into a ``DatabaseError``.
    """
    if mode == "rw" and not _writable(path):
        mode = "ro"
    if mode == "immutable":
        return _connect(path, "mode=ro&immutable=1", busy_seconds)
    try:
        return _connect(path, f"mode={mode}", busy_seconds)
    except sqlite3.OperationalError as error:
        cannot_open = primary_code(error) in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY)
        if mode != "ro" or not cannot_open or Path(f"{path}-wal").exists():
            raise
        return connect(path, "immutable", busy_seconds)


def as_database_error(error: sqlite3.Error | UnicodeDecodeError, path: Path) -> DatabaseError:
    """The ``DatabaseError`` for an exception among ``FAILURES``, with the advice for the user."""
    code = primary_code(error)
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return DatabaseLocked(f"{path} is locked by another process: wait for it to finish, then try again")
    if code == sqlite3.SQLITE_FULL or getattr(error, "sqlite_errorcode", None) in _NO_ROOM:
        return disk_full(path)
    if code == sqlite3.SQLITE_READONLY:
        return ReadOnlyDatabase(f"{path} is not writable: change its permissions, or name another file")
    if code == sqlite3.SQLITE_CANTOPEN:
        return BadPath(f"{path} cannot be opened: make the file and its folder readable and writable")
    if code == sqlite3.SQLITE_NOTADB:
        return NotADatabase(f"{path} is not a SQLite database: name another file")
    if code == sqlite3.SQLITE_INTERRUPT:
        error = sqlite3.DatabaseError("a query takes more steps than its size allows")
        code = sqlite3.SQLITE_CORRUPT
    if code == sqlite3.SQLITE_IOERR:
        return DatabaseError(f"{path} cannot be read or written ({error}): check the disk")
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_ERROR, sqlite3.SQLITE_SCHEMA, None):
        return DamagedDatabase(f"{path} is damaged ({error}): restore a copy made with `germline db backup`")
    return DatabaseError(f"{path}: {error}")


def primary_code(error: Exception) -> int | None:
    """SQLite's primary result code; None for errors of Python's module, such as text that is not UTF-8."""
    code = getattr(error, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF


def _connect(path: Path, query: str, busy_seconds: float) -> GuardedConnection:
    connection: GuardedConnection = sqlite3.connect(
        f"{path.as_uri()}?{query}",
        uri=True,
        timeout=busy_seconds,
        isolation_level=None,
        check_same_thread=False,
        factory=GuardedConnection,
    )
    try:
        # Expressions of the schema may call no function with effects outside of the file.
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("PRAGMA cell_size_check = ON")
        connection.guard(path)
        connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchall()  # connect alone does not read the file
    except FAILURES:
        connection.close()
        raise
    return connection


def _writable(path: Path) -> bool:
    return os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)
