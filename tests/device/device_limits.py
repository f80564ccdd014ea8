"""The time limit of a step."""

import math
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

AGAIN = 5.0
"""Seconds after which OutOfTime is raised once more, since what runs may have caught it."""

_end = ContextVar("_end", default=math.inf)


class OutOfTime(Exception):
    """A step has used up its time, or that of the session."""


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raises OutOfTime in the main thread after some seconds, or as soon as compiled code that runs then returns."""

    def stop(*_: object) -> None:
        raise OutOfTime(f"stopped after {seconds:.0f} s")

    before = signal.signal(signal.SIGALRM, stop)
    token = _end.set(time.monotonic() + seconds)
    signal.setitimer(signal.ITIMER_REAL, seconds, AGAIN)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)
        _end.reset(token)


def is_over() -> bool:
    """Whether the step that runs has used up its time."""
    return time.monotonic() >= _end.get()
