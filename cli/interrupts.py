"""SIGINT and SIGTERM: the first ends a command in order, the second ends its process at once."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupted(BaseException):
    """A signal of this number ends the command. It is raised wherever the main thread is at that moment, and is no
    `Exception`, so that nothing takes it for a failure of its own."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def on_first_signal(act: Callable[[int], None]) -> dict[signal.Signals, Any]:
    """Calls `act` with the number of the first signal from now on; a second signal has the system's own handler, which
    ends the process even within compiled code.

    A signal that the process was started to ignore, as `nohup` does, stays ignored. Returns the earlier handlers.
    """

    def handle(number: int, frame: FrameType | None) -> None:
        for each in earlier:
            signal.signal(each, signal.SIG_DFL)
        act(number)

    handlers = {number: signal.getsignal(number) for number in SIGNALS}
    earlier = {number: handler for number, handler in handlers.items() if handler is not signal.SIG_IGN}
    for number in earlier:
        signal.signal(number, handle)
    return earlier


@contextmanager
def deferred_signals() -> Iterator[list[int]]:
    """Yields a list that gets the number of a signal when it arrives; nothing is raised.

    A search polls the list, because an exception could arrive within a transaction or a call into Ray.
    """
    received: list[int] = []

    def note(number: int) -> None:
        received.append(number)
        os.write(2, b"stopping in order; once more to leave at once\n")

    earlier = on_first_signal(note)
    try:
        yield received
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)
