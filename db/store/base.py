"""What all parts of the store share: the database that they open, and transactions on it."""

from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Concatenate, Final, ParamSpec, Self, TypeVar

from sqlalchemy import Connection, Row

from germline.db import runs, sqlite_file
from germline.db.driven_runs import DrivenRuns
from germline.db.errors import DamagedDatabase, RecordConflict, Unsupported
from germline.db.genomes.recent import RecentTexts
from germline.db.location import SqliteFile, locate
from germline.db.lock_retry import LockRetry
from germline.db.opening import open_database

T = TypeVar("T")
P = ParamSpec("P")

CHUNK: Final = 500
"""Values in a condition of a query: more would be slower to compile, and SQLite has a limit."""


class BaseStore:
    """The part of the store for the database as a whole. The classes of the other parts inherit from this class.

    `Store` documents the arguments and errors.
    """

    def __init__(
        self,
        url: str = "sqlite:///germline.db",
        create: bool = True,
        on_wait: Callable[[str], None] = lambda message: None,
        busy_seconds: float = 5.0,
        wait_seconds: float = 600.0,
        read_only: bool = False,
    ) -> None:
        self._location = locate(url)
        self._driven = DrivenRuns(self._location)
        self._recent_texts = RecentTexts()
        retry = LockRetry(busy_seconds, wait_seconds, on_wait)
        self._database = open_database(self._location, create and not read_only, retry, read_only)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connection. Runs that are still driven through the store are not driven any more."""
        self._driven.close()
        self._database.close()

    def check(self) -> list[str]:
        """The broken invariants of the database, one line each; empty if it is sound."""
        from germline.db import check  # here, because every other command would import the rules for nothing

        try:
            return self._read(check.problems)
        except DamagedDatabase as error:
            return [str(error)]

    def backup(self, path: str | Path) -> None:
        """Copies the database to a new file. Runs may go on meanwhile; if copying fails, no file remains.

        Raises:
            BackupRefused: the file exists or cannot be written.
            DiskFull: there is no room for the copy.
            Unsupported: the database is on a server.
        """
        if not isinstance(self._location, SqliteFile):
            raise Unsupported(f"{self._location} is on a server: back it up with `pg_dump`")
        sqlite_file.copy(self._location.path, Path(path).absolute())

    # Transactions, for the parts. The function of a transaction gets the connection, then the other arguments. It is
    # called again if the database was locked.

    def _read(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Returns what a function returns in a transaction that reads."""
        return self._database.read(lambda connection: work(connection, *args, **kwargs))

    def _read_run(
        self, name: str, work: Callable[Concatenate[Connection, Row[Any], P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """The same for a function that gets the row of the run of this name too, after the connection.

        Raises:
            UnknownRun: no run has that name.
        """
        return self._database.read(lambda connection: work(connection, runs.row_of(connection, name), *args, **kwargs))

    def _write(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Returns what a function returns in a transaction that writes, which is committed unless it raises."""
        return self._database.write(lambda connection: work(connection, *args, **kwargs))

    def _add(self, what: str, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The same for a function that adds rows. ``what`` names them in the message of a conflict.

        Raises:
            RecordConflict: a row is there already, or refers to a missing row.
        """
        return self._add_rows(what, lambda connection: work(connection, *args, **kwargs), synced=True)

    def _add_rows(self, what: str, work: Callable[[Connection], T], synced: bool) -> T:
        """The same; if ``synced`` is False, a loss of power before the next transaction that writes may take the
        rows."""
        try:
            return self._database.write(work, synced)
        except RecordConflict as error:
            raise RecordConflict(f"{what}: recorded already, or referring to a missing birth ({error})") from error
