"""The contract of loggers.

To add a logger, write a file in `search/loggers/` with a class of these three methods, and add its name to `LOGGERS` in
`names.py`. All methods are called in one thread, in this order: `begin`, then `scalars` any number of times, then
`finish`. They may raise whatever they like: the logger is then left out for the rest of the session, with one warning.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from germline.db.records import RunRecord


@dataclass(frozen=True, slots=True)
class WinnerFile:
    """The winner of a run as a file.

    Attributes:
        name: of the file: `winner.txt` for a program, `winner.json` for other genomes.
        genome: content of the file; every command takes it as a REF.
        facts: plain JSON: the run, birth, operator, fingerprint, fitness, objectives and measures of the winner.
    """

    name: str
    genome: str
    facts: Mapping[str, Any]


class RunLogger(Protocol):
    """A service or folder that keeps the figures of runs. A run is one entry there, also after it was resumed."""

    def begin(self, run: RunRecord) -> None:
        """A session of a run begins, perhaps not the first."""
        ...

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Figures of the run after `step` births, by name; all are finite."""
        ...

    def finish(self, status: str, winner: WinnerFile | None) -> None:
        """The session has ended with the run's `status` (`finished`, `stopped` or `failed`). The winner is None while
        no outcome is ok; that of a later session replaces it."""
        ...


def run_id(run: RunRecord) -> str:
    """What tells a run from every other, in any database, of 16 letters and digits: made of its kind, its task, its
    seed and when it was created. The name is left out, because a run can be renamed."""
    from hashlib import sha256

    return sha256(f"{run.kind}\n{run.task}\n{run.seed}\n{run.created}".encode()).hexdigest()[:16]
