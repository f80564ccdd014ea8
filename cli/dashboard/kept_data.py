"""What was derived from the records of runs, kept in memory until more of a run is recorded."""

from collections import OrderedDict
from typing import Any, NamedTuple

from germline.db.columns import LastRecorded

RUNS_KEPT = 4
"""How many runs stay in memory: one of 300,000 births takes about 40 MB."""


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
    """Values by run and by what they are. Of the runs that were asked for, the last `RUNS_KEPT` stay."""

    def __init__(self) -> None:
        self._runs: OrderedDict[str, tuple[tuple[int, str, int], dict[str, tuple[RunState, Any]]]] = OrderedDict()

    def clear(self) -> None:
        """Forgets everything."""
        self._runs.clear()

    def get(self, name: str, what: str, state: RunState) -> Any:
        """What is kept under `what` for the run that has the name now, even if it was derived before more was recorded;
        None without."""
        entry = self._entries(name, state).get(what)
        return entry[1] if entry else None

    def is_current(self, name: str, what: str, state: RunState) -> bool:
        """Whether what is kept under `what` was derived in this state."""
        entry = self._entries(name, state).get(what)
        return entry is not None and entry[0] == state

    def put(self, name: str, what: str, state: RunState, value: Any) -> None:
        """Keeps a value that was derived in a state, unless what is kept was derived later, or from another run that
        has the name now."""
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
        while len(self._runs) > RUNS_KEPT:
            self._runs.popitem(last=False)
        return self._runs[name][1]
