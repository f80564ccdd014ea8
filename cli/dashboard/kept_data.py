"""What was derived from the records of runs, kept in memory until more of a run is recorded."""

from collections import OrderedDict
from threading import RLock
from typing import Any, NamedTuple

from germline.db.columns import LastRecorded


class RunState(NamedTuple):
    """Tells whether what was derived from a run is still true.

    Attributes:
        run: id, time of creation and seed. A name is no identity: runs are renamed and deleted, and their ids used
            again.
        last: what was recorded at last.
        status: of the run.
    """

    run: tuple[int, str, int]
    last: LastRecorded
    status: str


class KeptData:
    """Values by run and by what they are, for several threads.

    Args:
        runs: of how many runs values stay: of those that were asked for at last.
    """

    def __init__(self, runs: int) -> None:
        self._most = runs
        self._lock = RLock()
        self._runs: OrderedDict[str, tuple[tuple[int, str, int], dict[str, tuple[RunState, Any]]]] = OrderedDict()

    def clear(self) -> None:
        """Forgets everything."""
        with self._lock:
            self._runs.clear()

    def get(self, name: str, what: str, state: RunState) -> Any:
        """What is kept under `what` for the run that has the name now, even if it was derived before more was recorded;
        None without."""
        with self._lock:
            entry = self._entries(name, state).get(what)
        return entry[1] if entry else None

    def is_current(self, name: str, what: str, state: RunState) -> bool:
        """Whether what is kept under `what` was derived in this state."""
        with self._lock:
            entry = self._entries(name, state).get(what)
        return entry is not None and entry[0] == state

    def put(self, name: str, what: str, state: RunState, value: Any) -> None:
        """Keeps a value that was derived in a state, unless what is kept was derived later, or from another run that
        has the name now."""
        with self._lock:
            run, entries = self._runs.get(name, (state.run, {}))
            if run != state.run:
                return
            entry = entries.get(what)
            if entry is None or entry[0].last[:2] <= state.last[:2]:
                self._entries(name, state)[what] = (state, value)

    def _entries(self, name: str, state: RunState) -> dict[str, tuple[RunState, Any]]:
        """What is kept of a run; what was kept of another run of the same name is forgotten."""
        if name not in self._runs or self._runs[name][0] != state.run:
            self._runs[name] = (state.run, {})
        self._runs.move_to_end(name)
        while len(self._runs) > self._most:
            self._runs.popitem(last=False)
        return self._runs[name][1]
