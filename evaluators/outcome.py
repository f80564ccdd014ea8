"""The result of scoring a genome: a status and numbers, never an exception."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any, Literal

from germline.evaluators.errors import one_line, shown

Status = Literal["ok", "diverged", "rejected", "timeout", "oom", "crashed"]
Direction = Literal["min", "max"]


@dataclass(frozen=True)
class Objective:
    """A number that a search improves, and its direction."""

    name: str
    direction: Direction

    @property
    def heldout_name(self) -> str:
        """Name of the same number on the held-out data, such as `heldout_loss` for `validation_loss`."""
        return self.name.replace("validation", "heldout")


@dataclass(frozen=True)
class Outcome:
    """The result of scoring one genome on one task at one rung with one seed.

    `objectives` is empty unless `status` is `ok`, so that a failed candidate cannot be mistaken for a good candidate.
    `fitness` is the first objective with its sign changed so that higher is better, or None. `measures` are all other
    observations by name; `seconds` is this genome's share of the time that its pack took; `worker` is the host and
    process that scored it; `error` is the reason of a failure in one line.
    """

    status: Status
    fitness: float | None = None
    objectives: Mapping[str, float] = field(default_factory=dict)
    measures: Mapping[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    worker: str = ""
    error: str | None = None


LONGEST_NAME = 100
"""Most characters in the name of a measure."""


class NoNumber(ValueError):
    """A value of an outcome is not a number, or its name is not a short, printable text."""


def number_of(name: str, value: Any) -> float:
    """A value that a task returned under a name, as a float: whatever `float` accepts, such as a tensor of one number,
    but no text.

    Raises:
        NoNumber: the value is a text, or `float` refuses it.
    """
    try:
        if not isinstance(value, str | bytes | bytearray):
            return float(value)
    except Exception:  # not a number, a tensor of several, or a `__float__` that raises
        pass
    raise NoNumber(f"expected {name} to be a number, got {shown(value)}")


def recordable(outcome: Outcome, seconds: float | None = None, worker: str | None = None) -> Outcome:
    """The outcome in the form in which it is recorded, whatever the task has put into it, with these seconds and this
    worker, unless they are None.

    Numbers become floats, and the error a printable line. An outcome that is `ok` becomes `diverged` if its fitness is
    None, or fitness or an objective is not finite, so that no infinite loss can win; measures may be infinite or NaN.
    Any outcome becomes `crashed` if one of its values is not a number, or has no short, printable name.
    """
    seconds = outcome.seconds if seconds is None else seconds
    worker = outcome.worker if worker is None else worker
    error = None if outcome.error is None else one_line(_text(outcome.error))
    try:
        measures = _numbers(outcome.measures)
        objectives = _numbers(outcome.objectives)
        fitness = None if outcome.fitness is None else number_of("the fitness", outcome.fitness)
    except NoNumber as cause:
        return Outcome("crashed", seconds=seconds, worker=worker, error=one_line(str(cause)))
    if outcome.status == "ok" and not _all_finite(fitness, objectives):
        name, value = next(((n, v) for n, v in objectives.items() if not math.isfinite(v)), ("the fitness", fitness))
        error = one_line(f"{name.replace('_', ' ')} was {value}")
        return Outcome("diverged", None, {}, measures, seconds, worker, error)
    return Outcome(outcome.status, fitness, objectives, measures, seconds, worker, error)


def mean_of(values: Sequence[float]) -> float:
    """The mean; NaN where `fmean` raises: the sum overflows, there are infinities of both signs, or no values."""
    try:
        return fmean(values)
    except (OverflowError, ValueError):
        return math.nan


def _all_finite(fitness: float | None, objectives: Mapping[str, float]) -> bool:
    return fitness is not None and math.isfinite(fitness) and all(map(math.isfinite, objectives.values()))


def _numbers(values: Mapping[str, Any]) -> dict[str, float]:
    return {_name(name): number_of(name, value) for name, value in values.items()}


def _name(name: object) -> str:
    if isinstance(name, str) and 0 < len(name) <= LONGEST_NAME and name.isprintable():
        return name
    raise NoNumber(f"expected a short, printable name of a measure, got {shown(name)}")


def _text(error: object) -> str:
    return error if isinstance(error, str) else shown(error)
