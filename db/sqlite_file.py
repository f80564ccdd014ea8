"""SQLite files of runs: their schema, and copies of them.

SQLAlchemy is not imported (0.3 s), because ``germline runs`` must answer sooner.
"""

import contextlib
import os
import secrets
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from germline.db.errors import BackupRefused, BadPath, DamagedDatabase, MissingDatabase, NotADatabase
from germline.db.file_schema import Differences, differences_of_file
from germline.db.revisions import REVISIONS, VERSION_TABLE, foreign_database
from germline.db.sqlite_connection import FAILURES, as_database_error, connect, primary_code
from germline.db.sqlite_path import is_file

_MAGIC = b"SQLite format 3\x00"


@dataclass(frozen=True)
class RecordedSchema:
    """The schema revision of a file, and how its schema differs from that revision's."""

    revision: str
    differences: Differences


def recorded_schema(path: Path, busy_seconds: float = 5.0) -> RecordedSchema | None:
    """The schema of the database at ``path``; None if the file is missing or an empty database.

    The file is not changed, except that the transaction of a killed process is rolled back. No file is left next to it.

    Raises:
        AlteredSchema: the rows may not be what they seem.
        BadPath, NotADatabase, DamagedDatabase, ForeignDatabase, DatabaseLocked, ReadOnlyDatabase
    """
    if not is_file(path):
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
        return _schema(path, "ro" if in_use else "immutable", busy_seconds)
    except FAILURES as error:
        if primary_code(error) != sqlite3.SQLITE_READONLY:
            raise as_database_error(error, path) from error
    try:
        # A process died in a transaction, and only a connection that may write can roll it back. Rolling back writes
        # to the file, so the file must first prove to be a Germline database.
        _schema(path, "immutable", busy_seconds)
        return _schema(path, "rw", busy_seconds)
    except FAILURES as error:
        raise as_database_error(error, path) from error


def missing_database(path: Path) -> MissingDatabase:
    """The error for a file that does not exist or has no tables."""
    return MissingDatabase(f"no runs are recorded in {path}: name another database, or start with `germline search`")


def copy(source: Path, target: Path) -> None:
    """Copies a database that may be in use. The copy is consistent; if copying fails, no file remains.

    Raises:
        BackupRefused: the target exists, or its folder does not exist or is not writable.
        BadPath: no database can be at the target.
        DiskFull: there is no room for the copy.
    """
    if os.path.lexists(target):
        raise BackupRefused(f"{target} exists already: name a new file")
    is_file(target)  # raises BadPath for a name that is too long
    if not target.parent.is_dir():
        raise BackupRefused(f"there is no folder {target.parent}: run `mkdir -p '{target.parent}'`")
    partial = target.with_name(f".germline-{secrets.token_hex(4)}.partial")
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
            if primary_code(error) in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY):
                raise BackupRefused(f"{target} cannot be written: check the permissions of its folder") from error
            raise as_database_error(error, target) from error
    except FAILURES as error:
        raise as_database_error(error, source) from error
    finally:
        for connection in (writer, reader):
            if connection is not None:
                connection.close()


def _schema(path: Path, mode: str, busy_seconds: float) -> RecordedSchema | None:
    with contextlib.closing(connect(path, mode, busy_seconds)) as connection:
        names = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
        if not names:
            return None
        if VERSION_TABLE not in names:
            raise foreign_database(str(path))
        rows = connection.execute(f"SELECT version_num FROM {VERSION_TABLE}").fetchall()
        if len(rows) != 1 or not isinstance(rows[0][0], str):
            raise DamagedDatabase(
                f"{path} is damaged (no schema revision): restore a copy made with `germline db backup`"
            )
        revision = rows[0][0]
        differences = differences_of_file(connection, revision) if revision in REVISIONS else Differences()
    differences.refuse_reading(str(path))
    return RecordedSchema(revision, differences)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
