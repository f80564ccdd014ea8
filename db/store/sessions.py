"""Sessions: which process drives a run, and requests to it to stop."""

from typing import Final

from sqlalchemy import Connection, bindparam, exists, insert, select, update

from germline.db import runs, to_rows
from germline.db.errors import InvalidRecord
from germline.db.records import RUN_STATES
from germline.db.schema import control
from germline.db.store.base import BaseStore

# Made once, since a search asks again and again.
_STOP_REQUESTED: Final = select(exists().where(control.c.run_id == bindparam("run"), ~control.c.handled))


class SessionStore(BaseStore):
    """The part of the store for the process that drives a run, and for others that ask it to stop."""

    def claim(self, run_id: int, force: bool = False) -> None:
        """Makes the calling process the owner of the run and sets the status ``running``.

        Ownership is taken from a dead owner on this host. An owner on another host cannot be checked, so it keeps the
        run unless ``force`` is true.

        Raises:
            UnknownRun: no run has that id.
            RunBusy: another session of this process drives the run, or another process owns it and may be alive.
        """
        begun = self._driven.begin(run_id)
        try:
            self._write(runs.claim, run_id, force, driven=not begun)
            self._database.use_write_ahead_log()
        except BaseException:
            if begun:
                self._driven.end(run_id)
            raise

    def release(self, run_id: int, status: str, seconds: float) -> None:
        """Gives up the calling process's ownership of the run, sets its status and adds ``seconds`` of driver time.

        Raises:
            UnknownRun: no run has that id.
            RunBusy: another process owns the run.
            InvalidRecord: ``status`` is not ``stopped``, ``finished`` or ``failed``.
        """
        if status not in RUN_STATES[1:]:
            raise InvalidRecord(f"expected a released run to be one of {', '.join(RUN_STATES[1:])}, got {status!r}")
        try:
            self._write(runs.release, run_id, status, seconds)
        finally:
            self._driven.end(run_id)

    def forget(self, run_id: int) -> bool:
        """Removes a run without individuals, such as a run whose workers never started, so that its name is free.

        Returns False and removes nothing if the run has individuals, or another process owns it.

        Raises:
            UnknownRun: no run has that id.
        """
        return self._write(runs.forget, run_id)

    def request_stop(self, run_name: str) -> None:
        """Asks the driver of a run to stop.

        Raises:
            UnknownRun: no run has that name.
        """

        def add(connection: Connection) -> None:
            values = {"request": "stop", "created": to_rows.now(), "handled": False}
            connection.execute(insert(control).values(run_id=runs.row_of(connection, run_name).id, **values))

        self._write(add)

    def stop_requested(self, run_id: int) -> bool:
        """True if a request to stop the run has not been handled yet."""
        return self._read(lambda connection: bool(connection.scalar(_STOP_REQUESTED, {"run": run_id})))

    def handle_requests(self, run_id: int) -> None:
        """Marks all requests to stop a run as handled."""
        mark = update(control).where(control.c.run_id == run_id, ~control.c.handled).values(handled=True)
        self._write(lambda connection: connection.execute(mark) and None)
