"""Waiting for a lock that another process holds, with a word to the user."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from germline.db.errors import DatabaseLocked

T = TypeVar("T")


@dataclass(frozen=True)
class Patience:
    """How long to wait for a lock.

    Args:
        busy_seconds: how long the database itself waits before it reports the lock.
        wait_seconds: after how long in all we give up.
        on_wait: called with one line for the user each time the lock is held by another process.
    """

    busy_seconds: float = 5.0
    wait_seconds: float = 600.0
    on_wait: Callable[[str], None] = lambda message: None

    def until_free(self, where: str, attempt: Callable[[], T]) -> T:
        """``attempt()``, again for as long as it finds the database locked; so it must leave nothing half done.

        Raises:
            DatabaseLocked: it still was after ``wait_seconds``.
        """
        started = time.monotonic()
        while True:
            try:
                return attempt()
            except DatabaseLocked as error:
                waited = time.monotonic() - started
                if waited >= self.wait_seconds:
                    raise DatabaseLocked(
                        f"{where} stayed locked by another process for {waited:.0f} s: end that one and try again"
                    ) from error
            self.on_wait(f"{where} is locked by another process: waited {waited:.0f} s of {self.wait_seconds:.0f} s")
            time.sleep(0.05)  # some locks are reported at once, without the busy time-out
