"""What is derived from runs, by threads that ask for it at the same time: computed once for each state of a run."""

from collections.abc import Callable
from threading import Lock, RLock
from typing import TypeVar, cast

from germline.cli.dashboard.kept_data import KeptData, RunState

T = TypeVar("T")

COLUMNS_KEPT, CHARTS_KEPT = 4, 32
"""Of how many runs columns stay in memory, 40 MB for 300,000 births, and of how many what charts and tables show."""

COLUMNS = frozenset(("scores", "columns", "ancestry"))
"""What is derived of all births, and takes much memory."""


class DerivedData:
    """Values by run and by what they are, kept until more of the run is recorded.

    Args:
        state: tells the state of the run of a name.
    """

    def __init__(self, state: Callable[[str], RunState]) -> None:
        self._state = state
        self._columns, self._charts = KeptData(COLUMNS_KEPT), KeptData(CHARTS_KEPT)
        self._lock = Lock()
        self._deriving: dict[tuple[str, str], RLock] = {}

    def get(self, name: str, what: str, read: Callable[[T | None], T]) -> T:
        """What `read` returns for what was kept of the same run, None without. A thread that asks for what another
        thread derives waits for it."""
        kept = self._columns if what in COLUMNS else self._charts
        with self._lock:
            deriving = self._deriving.setdefault((name, what), RLock())
        with deriving:
            state = self._state(name)  # before anything is read: what is read is at least of this state
            known: T | None = kept.get(name, what, state)
            if kept.is_current(name, what, state):
                return cast("T", known)
            value = read(known)
            kept.put(name, what, state, value)
            return value

    def clear(self) -> None:
        """Forgets everything."""
        self._columns.clear()
        self._charts.clear()
