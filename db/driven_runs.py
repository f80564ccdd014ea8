"""The runs that this process drives. The owner of a run is a process, so only the process itself can tell two of its
sessions apart."""

import os
import threading

from germline.db.location import Location, SqliteFile

_lock = threading.Lock()
_drivers: dict[tuple[str, int], "DrivenRuns"] = {}
"""By database and id of the run."""


class DrivenRuns:
    """The runs of a database that are driven through a store.

    Args:
        location: of the database.
    """

    def __init__(self, location: Location) -> None:
        self.database = os.path.realpath(location.path) if isinstance(location, SqliteFile) else str(location)

    def begin(self, run_id: int) -> bool:
        """Notes that the store drives a run from now on; returns False if a store of this process does already."""
        with _lock:
            if (self.database, run_id) in _drivers:
                return False
            _drivers[self.database, run_id] = self
            return True

    def end(self, run_id: int) -> None:
        """Notes that the store does not drive a run any more."""
        with _lock:
            if _drivers.get((self.database, run_id)) is self:
                del _drivers[self.database, run_id]

    def includes(self, run_id: int) -> bool:
        """Whether this process drives a run of the database, through any store."""
        with _lock:
            return (self.database, run_id) in _drivers

    def close(self) -> None:
        """Notes that the store is closed, and drives nothing."""
        with _lock:
            for key in [key for key, driver in _drivers.items() if driver is self]:
                del _drivers[key]
