"""What scoring a genome comes to: a status and numbers, never an exception."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Status = Literal["ok", "diverged", "rejected", "timeout", "oom", "crashed"]
Direction = Literal["min", "max"]


@dataclass(frozen=True)
class Objective:
    """A number that a search improves, and which way is better."""

    name: str
    direction: Direction


@dataclass(frozen=True)
class Outcome:
    """The result of scoring one genome on one task at one rung with one seed.

    `objectives` is empty unless `status` is `ok`, so that a failed candidate cannot be mistaken for a good one.
    `fitness` is the first objective with its sign turned so that higher is better, or None. `measures` holds whatever
    else was observed; `seconds` is this genome's share of the time its pack took.
    """

    status: Status
    fitness: float | None = None
    objectives: Mapping[str, float] = field(default_factory=dict)
    measures: Mapping[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    worker: str = ""
    error: str | None = None
