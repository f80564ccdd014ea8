"""Brings calls to a logger in a thread of its own, so that a slow or broken logger holds up no search."""

import logging
import threading
from contextlib import suppress
from queue import Full, Queue
from typing import Any

from germline.evaluators.errors import in_a_line
from germline.search.loggers.run_logger import RunLogger

WAITING = 1_000
"""The most calls that wait for a slow logger; further figures are dropped, because later figures say more."""
PATIENCE = 60.0
"""Seconds in which a logger may deliver what waits after the search has ended."""

log = logging.getLogger(__name__)


class Delivery:
    """Calls the methods of a logger one after the other.

    The first exception, and a logger that is not done at the end, are warned of once; nothing is raised. The thread is
    a daemon: a logger that never returns does not keep the process alive.

    Args:
        logger: the logger.
        patience: seconds that `close` waits for the calls that are left.
    """

    def __init__(self, logger: RunLogger, patience: float = PATIENCE) -> None:
        self.logger = logger
        self.name = type(logger).__name__
        self.patience = patience
        self.waiting: Queue[tuple[str, tuple[Any, ...]] | None] = Queue(WAITING)
        self.given_up = False
        self.thread = threading.Thread(target=self._deliver, name=f"logger {self.name}", daemon=True)
        self.thread.start()

    def tell(self, method: str, *arguments: Any) -> None:
        """Has a method called later. `finish` waits for room among the calls that wait, other calls are dropped."""
        if self.given_up:
            return
        try:
            self.waiting.put((method, arguments), timeout=self.patience if method == "finish" else 0.0)
        except Full:
            if method == "finish":
                self._warn(f"did not answer within {self.patience:g} s")

    def close(self) -> None:
        """Waits until all calls are delivered, or patience ends."""
        if self.given_up:
            return
        with suppress(Full):
            self.waiting.put(None, timeout=self.patience)
        self.thread.join(self.patience)
        if self.thread.is_alive():
            self._warn(f"did not answer within {self.patience:g} s")

    def _deliver(self) -> None:
        while (call := self.waiting.get()) is not None:
            if self.given_up:
                return
            method, arguments = call
            try:
                getattr(self.logger, method)(*arguments)
            except BaseException as error:  # whatever a library raises; SystemExit would end this thread in silence
                self._warn(in_a_line(error))

    def _warn(self, why: str) -> None:
        if not self.given_up:
            self.given_up = True
            log.warning("the search goes on without %s: %s", self.name, why)
