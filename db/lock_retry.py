"""Retries while another process holds the lock of the database, with a message to the user."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from germline.db.errors import DatabaseLocked

T = TypeVar("T")


@dataclass(frozen=True)
class LockRetry:
    """Repeats an operation on the database until it is not locked.

    Args:
        busy_seconds: how long the database itself waits for a lock before it reports it.
        wait_seconds: total time after which no further attempt is made.
        on_wait: called with one line for the user after the first attempt, then about every ``busy_seconds``.
    """

    busy_seconds: float = 5.0
    wait_seconds: float = 600.0
    on_wait: Callable[[str], None] = lambda message: None

    def call(self, operation: Callable[[], T], where: str) -> T:
        """Returns ``operation()``, which is called again while it raises ``DatabaseLocked``.

        The operation must undo its work before it raises. ``where`` names the database in messages.

        Raises:
            DatabaseLocked: the database was still locked after ``wait_seconds``.
        """
        started = time.monotonic()
        reported = -math.inf
        while True:
            try:
                return operation()
            except DatabaseLocked as error:
                waited = time.monotonic() - started
                if waited >= self.wait_seconds:
                    raise DatabaseLocked(
                        f"{where} stayed locked by another process for {waited:.0f} s: end that process and try again"
                    ) from error
            # Some locks are reported at once, without waiting ``busy_seconds``.
            if waited >= reported + self.busy_seconds:
                self.on_wait(
                    f"{where} is locked by another process: waited {waited:.0f} s of {self.wait_seconds:.0f} s"
                )
                reported = waited
            time.sleep(0.05)
