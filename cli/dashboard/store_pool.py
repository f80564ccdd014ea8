"""A few connections to the database, so that a page does not wait for another page that reads a long run."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore, Lock

from germline.cli.dashboard.current_store import CurrentStore
from germline.db.store import Store

CONNECTIONS = 4
"""The most connections at a time. A page asks for fewer things at once."""


class StorePool:
    """Connections that cannot write, for several threads; each is opened when no other is free.

    Args:
        url: of the database, which must exist.
        replaced: called after another file was opened in the place of the database's.

    Raises:
        DatabaseError: the database cannot be read.
    """

    def __init__(self, url: str, replaced: Callable[[], None]) -> None:
        self._url = url
        self._replaced = replaced
        self._room = BoundedSemaphore(CONNECTIONS)
        self._lock = Lock()
        self._free = [CurrentStore(url, replaced)]

    @contextmanager
    def store(self) -> Iterator[Store]:
        """A store that no other thread has, of the file that is there now. A thread borrows a single store at a time:
        those that held one and waited for another could wait for each other."""
        with self._room:
            with self._lock:
                current = self._free.pop() if self._free else None
            current = current or CurrentStore(self._url, self._replaced)
            try:
                yield current.get()
            finally:
                with self._lock:
                    self._free.append(current)

    def close(self) -> None:
        """Closes the connections that no thread has."""
        with self._lock:
            for current in self._free:
                current.close()
