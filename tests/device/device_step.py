"""A step of a session."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from device_limits import OutOfTime

Results = Iterator[dict[str, Any]]
"""What a step yields: results as soon as it has them, each of which is written to the report at once."""


class NotHere(Exception):
    """What a step needs is not on this machine; the message says what."""


@dataclass(frozen=True)
class Step:
    """A step of a session.

    Args:
        name: of the step.
        run: its function, as `MODULE:FUNCTION`, which is imported when the step begins. The function is called with
            the device and, as named arguments, the sizes. It yields results: a `summary` of one line; `passed`, if it
            checks something; `rows`, as of benchmarks, if it measures against a baseline; and further values.
        sizes: the sizes on a GPU.
        small: the sizes in a rehearsal.
        seconds: about how long the step takes on a GPU. It is left out if less time is left, and stopped after
            `device_session.PATIENCE` times as long.
    """

    name: str
    run: str
    sizes: Mapping[str, Any]
    small: Mapping[str, Any]
    seconds: float

    def function(self) -> Callable[..., Results]:
        module, name = self.run.split(":")
        function: Callable[..., Results] = getattr(import_module(module), name)
        return function


def extra(name: str, action: Callable[[], Any]) -> dict[str, Any]:
    """A result that a step can do without: the value of `action` under this name, or the error that it raised."""
    try:
        return {name: action()}
    except OutOfTime:
        raise
    except Exception as error:
        return {f"{name}_error": f"{type(error).__name__}: {error}"[:500]}
