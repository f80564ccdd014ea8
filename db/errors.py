"""The errors of a database of runs. Each message is one printable line that says what to do."""

from collections.abc import Sequence


def _one_line(message: str) -> str:
    """The message with line ends and other control characters escaped, safe to print on a terminal."""
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in message.strip()
    )


class DatabaseError(Exception):
    """Base of all errors of ``germline.db``; ``str(error)`` is one line for the user."""

    def __init__(self, message: str) -> None:
        super().__init__(_one_line(message))


class BadUrl(DatabaseError):
    """The text names no database that Germline can use."""


class BadPath(DatabaseError):
    """No database can be at the path: it is a directory, its folder does not exist, or it cannot be read."""


class MissingDatabase(DatabaseError):
    """The database does not exist or has no tables, and the caller did not ask to create it."""


class ReadOnlyDatabase(DatabaseError):
    """The database or its folder is not writable."""


class NotADatabase(DatabaseError):
    """The file is no SQLite database or, as the subclass `DamagedDatabase`, a database that cannot be read in part."""


class DamagedDatabase(NotADatabase):
    """The file is a database of Germline, and a part of it cannot be read."""


def unreadable_row(what: str, why: object) -> DamagedDatabase:
    """The error for a row that cannot be read; ``what`` names the row's subject, such as ``birth 3``."""
    return DamagedDatabase(f"{what} cannot be read ({why}): restore a copy made with `germline db backup`")


class GenomesTooLong(DatabaseError):
    """The genomes that were asked for would be more text than memory or time allows, since a few stored bytes can stand
    for a long text."""


class ForeignDatabase(DatabaseError):
    """The database belongs to another program; Germline does not change it."""


class AlteredSchema(DatabaseError):
    """The schema of the file differs from Germline's so that its rows may not be what they seem, or so that something
    could act when rows are written.

    `differences` has a phrase for each difference.
    """

    def __init__(self, message: str, differences: Sequence[str]) -> None:
        super().__init__(message)
        self.differences = tuple(map(_one_line, differences))


class SchemaOutdated(DatabaseError):
    """An older Germline wrote the database: ``germline db upgrade`` brings it up to date."""


class SchemaNewer(DatabaseError):
    """A newer Germline wrote the database."""


class DatabaseLocked(DatabaseError):
    """Another process holds the lock of the database."""


class DiskFull(DatabaseError):
    """The disk, a quota or a limit on file sizes has no room for the transaction, which was rolled back."""


class Unreachable(DatabaseError):
    """The database server cannot be reached, or its driver is not installed."""


class Unsupported(DatabaseError):
    """The operation is not available for a database on a server, or without a package that is not installed."""


class InvalidRecord(DatabaseError):
    """A record has a value that is not allowed or that the tables cannot store exactly."""


class RecordConflict(DatabaseError):
    """A row exists already or refers to a missing row; no row of the transaction was added."""


class UnknownRun(DatabaseError):
    """No run has this name."""


class UnknownBirth(DatabaseError):
    """No individual of the run has this birth."""


class NothingScored(DatabaseError):
    """The run has no individual with an ok outcome yet."""


class RunExists(DatabaseError):
    """A run has this name already."""


class RunBusy(DatabaseError):
    """Another live process drives the run."""


class BackupRefused(DatabaseError):
    """The target of a backup exists already, or cannot be written."""
