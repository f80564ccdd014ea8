"""A table of tuned baselines as data: a row for each task and baseline.

`table_file.py` reads and writes it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from germline.search.knob_tuning.knobs import Value
from germline.search.leaderboard.protocol import BASELINES, Protocol


class InvalidTable(ValueError):
    """A file is no table of baselines, or one that this version does not read."""


@dataclass(frozen=True)
class Versions:
    """What decided the numbers of a row.

    Attributes:
        task, scoring, training: versions of the task, of scoring (`SCORING_VERSION`) and of trainings
            (`TRAINING_VERSION`).
        program: digest of the baseline's text without dead statements.
        code: digest of the file of the task's class; None for a task that is built in or installed.
        device, torch: `cpu` or `cuda`, and the version of torch; with another device or version only last bits change.
    """

    task: int
    scoring: int
    training: int
    program: str
    code: str | None
    device: str
    torch: str

    @property
    def software(self) -> str:
        """Torch and device in words: `torch 2.9.0 on cpu`."""
        return f"torch {self.torch} on {self.device}"


@dataclass(frozen=True)
class BaselineRow:
    """A baseline, tuned on a task.

    Attributes:
        task, baseline: full name of the task, reference of the baseline.
        steps: of a training.
        versions: what decided the numbers.
        constants: value of each knob at the tuned point; None if no point could be trained.
        tuned: the loss there on validation data, mean over tuning seeds; None likewise.
        trainings: how many its tuning took.
        widened: where the box was widened.
        losses: held-out loss with each final seed, infinite where a training failed; empty if it was not tuned.
        curves: held-out losses on the way with each final seed, five digits; empty where a training failed.
        target: of the yardstick: its median loss over seeds of their own; None for the others.
        error: why a training failed, of the latest that did; None if none did.
    """

    task: str
    baseline: str
    steps: int
    versions: Versions
    constants: Mapping[str, Value] | None
    tuned: float | None
    trainings: int
    widened: tuple[str, ...] = ()
    losses: tuple[float, ...] = ()
    curves: tuple[tuple[float, ...], ...] = ()
    target: float | None = None
    error: str | None = None

    @property
    def key(self) -> tuple[str, str]:
        """Task and baseline, which name a row."""
        return self.task, self.baseline


@dataclass(frozen=True)
class BaselineTable:
    """A table of tuned baselines.

    Attributes:
        protocol: how its rows are measured.
        baselines: references of the baselines, such as `library:NAME`.
        rows: those measured so far, ordered by task and then as `baselines`.
    """

    protocol: Protocol = field(default_factory=Protocol)
    baselines: tuple[str, ...] = BASELINES
    rows: tuple[BaselineRow, ...] = ()

    def row(self, task: str, baseline: str) -> BaselineRow | None:
        """Returns a row; None if it is not measured."""
        return next((row for row in self.rows if row.key == (task, baseline)), None)

    @property
    def tasks(self) -> tuple[str, ...]:
        """The tasks that have rows, in the order of the file."""
        return tuple(dict.fromkeys(row.task for row in self.rows))

    def with_row(self, row: BaselineRow) -> "BaselineTable":
        """Returns the table with a row, which replaces an earlier one."""
        rows = {each.key: each for each in self.rows} | {row.key: row}
        tasks = list(dict.fromkeys(each.task for each in rows.values()))
        order = sorted(rows.values(), key=lambda each: (tasks.index(each.task), self.baselines.index(each.baseline)))
        return replace(self, rows=tuple(order))
