"""A leaderboard: cells of all tasks that can be compared, and summaries over all of them and over held-out tasks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from germline.evaluators.optimizer.task import TrainingTask
from germline.search.leaderboard.cells import cell_of
from germline.search.leaderboard.protocol import YARDSTICK, Protocol
from germline.search.leaderboard.table import BaselineTable
from germline.search.leaderboard.versions import outdated
from germline.search.tuned_comparison.compare import verdicts
from germline.search.tuned_comparison.contender import Contender
from germline.search.tuned_comparison.results import Cell, TunedComparison


@dataclass(frozen=True)
class LeftOut:
    """A task that is not compared, and why."""

    task: str
    why: str


@dataclass(frozen=True)
class Group:
    """Tasks that are summarised together, as a comparison of their cells."""

    title: str
    comparison: TunedComparison


@dataclass(frozen=True)
class Board:
    """A leaderboard.

    Attributes:
        protocol: by which all was measured.
        cells: of the tasks that can be compared, all with the same contenders: those that are judged, if there are any,
            then the baselines. The reference of each is the yardstick.
        held_out: for each task of them whether it is held out as a whole.
        left_out: the other tasks.
        measured_with: what measured the baselines, such as `torch 2.9.0 on cpu`, each once.
        judged_with: what measured those that are judged; None without any.
    """

    protocol: Protocol
    cells: tuple[Cell, ...]
    held_out: Mapping[str, bool]
    left_out: tuple[LeftOut, ...]
    measured_with: tuple[str, ...]
    judged_with: str | None = None

    @property
    def contenders(self) -> tuple[Contender, ...]:
        """The contenders of each cell; none without a cell."""
        return tuple(result.contender for result in self.cells[0].results) if self.cells else ()

    @property
    def groups(self) -> tuple[Group, ...]:
        """All tasks together, and the tasks of searches and those that are held out apart, if there are both."""
        parts = {
            "tasks of searches": [cell for cell in self.cells if not self.held_out[cell.task]],
            "held-out tasks": [cell for cell in self.cells if self.held_out[cell.task]],
        }
        filled = {title: part for title, part in parts.items() if part}
        if len(filled) > 1:
            filled = {"all tasks": list(self.cells)} | filled
        return tuple(Group(title, self._comparison(part)) for title, part in filled.items())

    def _comparison(self, cells: Sequence[Cell]) -> TunedComparison:
        return TunedComparison(self.contenders, tuple(cells), verdicts(cells), self.protocol.seeds, {})


def board_of(
    table: BaselineTable, tasks: Mapping[str, type[TrainingTask]], left_out: tuple[LeftOut, ...] = ()
) -> Board:
    """Returns the board of a table on some tasks. A task is compared if every baseline is measured on it with the
    versions of now.

    Args:
        table: the rows.
        tasks: classes of tasks by their full names.
        left_out: tasks that are left out anyway.

    Raises:
        InvalidTable: a row has constants that its baseline does not have.
    """
    reasons = {name: _why_not(table, name, task) for name, task in tasks.items()}
    compared = [name for name, why in reasons.items() if why is None]
    left_out += tuple(LeftOut(name, why) for name, why in reasons.items() if why is not None)
    rows = [row for row in table.rows if row.task in compared]
    cells = tuple(cell_of([row for row in rows if row.task == name], table.protocol) for name in compared)
    held_out = {name: tasks[name].held_out_task for name in compared}
    measured_with = tuple(dict.fromkeys(row.versions.software for row in rows))
    return Board(table.protocol, cells, held_out, left_out, measured_with)


def ranking(cell: Cell) -> list[int]:
    """Returns the places of the contenders of a cell in order: fewest failures first, then the lowest held-out loss.
    Those that could not be tuned come last."""

    def badness(place: int) -> tuple[float, float]:
        result = cell.results[place]
        return (
            float("inf") if result.failed is None else result.failed,
            float("inf") if result.mean is None else result.mean,
        )

    return sorted(range(len(cell.results)), key=badness)


def _why_not(table: BaselineTable, name: str, task: type[TrainingTask]) -> str | None:
    """Why a task cannot be compared; None if it can."""
    rows = [row for row in table.rows if row.task == name]
    if not rows:
        return "not measured"
    changed = [reason for row in rows if (reason := outdated(row, task, table.protocol)) is not None]
    if changed:
        return changed[0]
    if len(rows) < len(table.baselines):
        return f"measured for {len(rows)} of {len(table.baselines)} baselines"
    targets = [row.target for row in rows if row.baseline == YARDSTICK]
    return None if targets != [None] else "measured without a target"
