"""SQLite files through the standard library: connecting, reading the schema revision, copying, explaining errors.

SQLAlchemy is not imported (0.3 s), because ``germline runs`` must answer sooner.
"""

import contextlib
import os
import shutil
import sqlite3
from pathlib import Path
from typing import Final

from germline.db.errors import (
    BackupRefused,
    BadPath,
    DamagedDatabase,
    DatabaseError,
    DatabaseLocked,
    DiskFull,
    MissingDatabase,
    NotADatabase,
    ReadOnlyDatabase,
)
from germline.db.revisions import VERSION_TABLE, foreign_database

FAILURES: Final = (sqlite3.Error, UnicodeDecodeError)
"""The exceptions of Python's SQLite module; it fails to decode the schema of a damaged file."""

_MAGIC = b"SQLite format 3\x00"


def connect(path: Path, mode: str, busy_seconds: float = 5.0) -> sqlite3.Connection:
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
        cannot_open = _code(error) in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY)
        if mode != "ro" or not cannot_open or Path(f"{path}-wal").exists():
            raise
        return connect(path, "immutable", busy_seconds)


def recorded_revision(path: Path, busy_seconds: float = 5.0) -> str | None:
    """The schema revision of the database at ``path``; None if the file is missing or an empty database.

    The file is not changed, except that the transaction of a killed process is rolled back. No file is left next to it.

    Raises:
        BadPath, NotADatabase, DamagedDatabase, ForeignDatabase, DatabaseLocked, ReadOnlyDatabase
    """
    if path.is_dir():
        raise BadPath(f"{path} is a directory: name a file in it, such as {path / 'germline.db'}")
    if not path.exists():
        return None
    try:
        with path.open("rb") as file:
            head = file.read(len(_MAGIC))
    except OSError as error:
        raise BadPath(f"{path} cannot be read: {error.strerror}") from error
    if head and head != _MAGIC:
        raise NotADatabase(f"{path} is not a SQLite database: name another file")
    in_use = any(Path(f"{path}{suffix}").exists() for suffix in ("-wal", "-journal"))
    try:
        # An immutable file is read without creating a log or an index next to it.
        return _revision(path, "ro" if in_use else "immutable", busy_seconds)
    except FAILURES as error:
        if _code(error) != sqlite3.SQLITE_READONLY:
            raise as_database_error(error, path) from error
    try:
        # A process died in a transaction, and only a connection that may write can roll it back. Rolling back writes
        # to the file, so the file must first prove to be a Germline database.
        _revision(path, "immutable", busy_seconds)
        return _revision(path, "rw", busy_seconds)
    except FAILURES as error:
        raise as_database_error(error, path) from error


def require_creatable(path: Path) -> None:
    """Checks that a file can be created at ``path``.

    Raises:
        BadPath: its folder does not exist.
        ReadOnlyDatabase: its folder is not writable.
    """
    if not path.parent.is_dir():
        raise BadPath(f"{path} cannot be created, there is no folder {path.parent}: run `mkdir -p '{path.parent}'`")
    # os.access is not enough: it lets root write to /proc, where no file can be created.
    try:
        existed = path.exists()
        path.touch()
        if not existed:
            path.unlink()
    except OSError:
        raise ReadOnlyDatabase(f"{path} cannot be created, its folder is not writable: name another folder") from None


def missing_database(path: Path) -> MissingDatabase:
    """The error for a file that does not exist or has no tables."""
    return MissingDatabase(f"no runs are recorded in {path}: name another file, or start with `germline search`")


def as_database_error(error: sqlite3.Error | UnicodeDecodeError, path: Path) -> DatabaseError:
    """The ``DatabaseError`` for an exception among ``FAILURES``, with the advice for the user."""
    code = _code(error)
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return DatabaseLocked(f"{path} is locked by another process: wait for it to finish, then try again")
    if code == sqlite3.SQLITE_FULL or (code == sqlite3.SQLITE_IOERR and _free_bytes(path) < 1 << 20):
        return DiskFull(f"no room to write {path}, {_free_bytes(path):,} bytes are free: free some space, then go on")
    if code == sqlite3.SQLITE_READONLY:
        return ReadOnlyDatabase(f"{path} is not writable: change its permissions, or name another file")
    if code == sqlite3.SQLITE_CANTOPEN:
        return BadPath(f"{path} cannot be opened: make the file and its folder readable and writable")
    if code == sqlite3.SQLITE_NOTADB:
        return NotADatabase(f"{path} is not a SQLite database: name another file")
    if code == sqlite3.SQLITE_IOERR:
        return DatabaseError(f"{path} cannot be read or written ({error}): check the disk")
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_ERROR, sqlite3.SQLITE_SCHEMA, None):
        return DamagedDatabase(f"{path} is damaged ({error}): restore a copy made with `germline db backup`")
    return DatabaseError(f"{path}: {error}")


def copy(source: Path, target: Path) -> None:
    """Copies a database that may be in use. The copy is consistent; if copying fails, no file remains.

    Raises:
        BackupRefused: the target exists, or its folder does not exist or is not writable.
        DiskFull: there is no room for the copy.
    """
    if target.exists() or target.is_symlink():
        raise BackupRefused(f"{target} exists already: name a new file")
    if not target.parent.is_dir():
        raise BackupRefused(f"there is no folder {target.parent}: run `mkdir -p '{target.parent}'`")
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    try:
        _copy_pages(source, partial, target)
        _flush(partial)
        try:
            os.link(partial, target)  # unlike a rename, never replaces a file that was created meanwhile
        except FileExistsError:
            raise
        except OSError:
            partial.rename(target)  # a file system without links
        _flush(target.parent)
    except FileExistsError as error:
        raise BackupRefused(f"{target} exists already: name a new file") from error
    except OSError as error:
        raise BackupRefused(f"{target} cannot be written: {error.strerror}") from error
    finally:
        for suffix in ("", "-journal", "-wal", "-shm"):
            with contextlib.suppress(OSError):
                Path(f"{partial}{suffix}").unlink()


def _copy_pages(source: Path, partial: Path, target: Path) -> None:
    reader = writer = None
    try:
        reader = connect(source, "ro")
        try:
            writer = connect(partial, "rwc")
            reader.backup(writer)
        except sqlite3.Error as error:
            if _code(error) in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY):
                raise BackupRefused(f"{target} cannot be written: check the permissions of its folder") from error
            raise as_database_error(error, target) from error
    except FAILURES as error:
        raise as_database_error(error, source) from error
    finally:
        for connection in (writer, reader):
            if connection is not None:
                connection.close()


def _connect(path: Path, query: str, busy_seconds: float) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"{path.as_uri()}?{query}", uri=True, timeout=busy_seconds, isolation_level=None, check_same_thread=False
    )
    try:
        connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchall()  # connect alone does not read the file
    except FAILURES:
        connection.close()
        raise
    return connection


def _revision(path: Path, mode: str, busy_seconds: float) -> str | None:
    with contextlib.closing(connect(path, mode, busy_seconds)) as connection:
        names = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
        if not names:
            return None
        if VERSION_TABLE not in names:
            raise foreign_database(str(path))
        rows = connection.execute(f"SELECT version_num FROM {VERSION_TABLE}").fetchall()
    if len(rows) != 1 or not isinstance(rows[0][0], str):
        raise DamagedDatabase(f"{path} is damaged (no schema revision): restore a copy made with `germline db backup`")
    return rows[0][0]


def _writable(path: Path) -> bool:
    return os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)


def _code(error: Exception) -> int | None:
    """SQLite's primary result code; None for errors of Python's module, such as text that is not UTF-8."""
    code = getattr(error, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF


def _free_bytes(path: Path) -> int:
    return shutil.disk_usage(path.parent).free


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
