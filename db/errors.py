"""What can go wrong with a database of runs: one typed error each, whose message is one printable line with the fix."""


def _one_line(message: str) -> str:
    """The message with line ends, escapes and other control characters spelled out, safe to print on a terminal."""
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in message.strip()
    )


class DatabaseError(Exception):
    """Base of all errors of ``germline.db``; ``str(error)`` is one line for the user."""

    def __init__(self, message: str) -> None:
        super().__init__(_one_line(message))


class BadUrl(DatabaseError):
    """The text names no database Germline can use."""


class BadPath(DatabaseError):
    """The path cannot hold a database: a directory, or a folder that is not there."""


class MissingDatabase(DatabaseError):
    """There is no database at this place, and the caller did not want a new one."""


class ReadOnlyDatabase(DatabaseError):
    """The database, or its folder, may be read but not written."""


class NotADatabase(DatabaseError):
    """The file is no SQLite database."""


class DamagedDatabase(NotADatabase):
    """The file was a database of ours, and parts of it no longer read."""


def unreadable(what: str, why: object) -> DamagedDatabase:
    """The error for a row that no longer reads: what it is of, and why."""
    return DamagedDatabase(f"{what} no longer reads ({why}): restore a copy made with `germline db backup`")


class ForeignDatabase(DatabaseError):
    """The database belongs to another program; Germline leaves it alone."""


class SchemaOutdated(DatabaseError):
    """An older Germline wrote the database: ``germline db upgrade`` brings it up to date."""


class SchemaNewer(DatabaseError):
    """A newer Germline wrote the database."""


class DatabaseLocked(DatabaseError):
    """Another process held the lock for longer than we wait."""


class DiskFull(DatabaseError):
    """The disk has no room for the transaction; nothing of it was written."""


class Unreachable(DatabaseError):
    """The database server cannot be reached, or its driver is not installed."""


class Unsupported(DatabaseError):
    """This kind of database does not have the operation."""


class InvalidRecord(DatabaseError):
    """A value that the tables cannot hold exactly."""


class RecordConflict(DatabaseError):
    """A row that is recorded already, or that points to one that is not there; the whole batch was dropped."""


class UnknownRun(DatabaseError):
    """No run has this name."""


class UnknownBirth(DatabaseError):
    """The run has no such birth."""


class NothingScored(DatabaseError):
    """The run has no individual with an ok outcome yet."""


class RunExists(DatabaseError):
    """The name is taken."""


class RunBusy(DatabaseError):
    """Another live process drives the run."""


class BackupRefused(DatabaseError):
    """The target of a backup exists already, or cannot be written."""
