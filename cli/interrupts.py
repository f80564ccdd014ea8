"""SIGINT, SIGTERM and SIGHUP: the first ends a command in order, the second ends its process at once.

SIGHUP comes when the terminal is closed, or the connection to it is lost.
"""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

AGAIN_SECONDS = 0.2
"""Time after which `Interrupted` is raised again if somebody has swallowed it."""

received: list[int] = []
"""Numbers of the signals that have begun to end this process. Signals belong to a process, and so does this list."""


class Interrupted(BaseException):
    """A signal of this number ends the command. It is raised wherever the main thread is at that moment, and is no
    `Exception`, so that nothing takes it for a failure of its own."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def end_on_signal() -> None:
    """From now on a signal raises `Interrupted` in the main thread, and raises it again if a library swallows it, as
    bare `except` clauses and callbacks from compiled code do."""

    def begin(number: int) -> None:
        received.append(number)
        signal.signal(signal.SIGALRM, again)
        signal.setitimer(signal.ITIMER_REAL, AGAIN_SECONDS, AGAIN_SECONDS)
        raise Interrupted(number)

    def again(number: int, frame: FrameType | None) -> None:
        if not _is_ending():
            raise Interrupted(received[0])

    def hide(unraisable: Any) -> None:
        if not isinstance(unraisable.exc_value, Interrupted):
            sys.__unraisablehook__(unraisable)

    sys.unraisablehook = hide
    on_first_signal(begin)


def stop_raising() -> None:
    """Undoes `end_on_signal`: signals raise nothing any more, but end the process at once with their exit status."""
    signal.setitimer(signal.ITIMER_REAL, 0.0)
    signal.signal(signal.SIGALRM, lambda number, frame: None)  # the timer's last signal may still be pending
    on_first_signal(lambda number: os._exit(128 + number))


def on_first_signal(act: Callable[[int], None]) -> dict[signal.Signals, Any]:
    """From now on the first signal calls `act` with its number. A second signal gets the system's own handler, which
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

    Raises:
        Interrupted: a signal arrived before, and its exception was swallowed.
    """
    noted: list[int] = []

    def note(number: int) -> None:
        noted.append(number)
        with suppress(OSError):  # the terminal may be gone
            os.write(2, b"stopping in order; once more to leave at once\n")

    earlier = on_first_signal(note)
    try:
        raise_if_received()
        yield noted
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)


def raise_if_received() -> None:
    """Raises `Interrupted` if a signal arrived before, and its exception was swallowed or taken for another error."""
    if received:
        raise Interrupted(received[0])


def _is_ending() -> bool:
    """Whether the main thread is in a `finally` or `except` clause that an `Interrupted` has led to."""
    error = sys.exception()
    while error is not None:
        if isinstance(error, Interrupted):
            return True
        error = error.__context__
    return False
