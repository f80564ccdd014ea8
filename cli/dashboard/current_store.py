"""The database behind the pages, which is opened again when another file took its place."""

from collections.abc import Callable

from germline.db.location import SqliteFile, locate
from germline.db.store import Store

WAIT_SECONDS = 10.0
"""How long a page waits for the lock of another process."""


class CurrentStore:
    """A database that is read through a connection that cannot write.

    An open file stays open after it was replaced: its pages would show for ever what was. So each call of `get` looks
    whether the path still names the same file.

    Args:
        url: of the database, which must exist.
        replaced: called after another file was opened.

    Raises:
        DatabaseError: the database cannot be read. `get` raises it too, when the file was removed or replaced by one
            that cannot be read.
    """

    def __init__(self, url: str, replaced: Callable[[], None]) -> None:
        self._url = url
        self._replaced = replaced
        self._file = self._identity()
        self._store = self._opened()

    def get(self) -> Store:
        """The store of the file that is there now."""
        file = self._identity()
        if file != self._file:
            self._store.close()  # first: an open connection would keep the log of the old file beside the new one
            self._store = self._opened()
            self._file = file
            self._replaced()
        return self._store

    def close(self) -> None:
        """Closes the connection."""
        self._store.close()

    def _opened(self) -> Store:
        return Store(self._url, create=False, read_only=True, wait_seconds=WAIT_SECONDS)

    def _identity(self) -> tuple[int, int] | None:
        """Device and number of the file; None for a server, and without a file."""
        location = locate(self._url)
        if not isinstance(location, SqliteFile):
            return None
        try:
            status = location.path.stat()
        except OSError:
            return None
        return status.st_dev, status.st_ino
