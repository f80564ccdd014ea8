"""The result of scoring a genome: a status and numbers, never an exception."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

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
