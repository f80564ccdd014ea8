"""Measuring by the protocol of a table: a contender on a task, a row of the table, and the table made anew."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from germline.evaluators.optimizer.task import TrainingTask
from germline.search.leaderboard.cells import baseline_contender, row_of
from germline.search.leaderboard.protocol import YARDSTICK, Protocol
from germline.search.leaderboard.table import BaselineTable
from germline.search.leaderboard.versions import outdated, versions_of
from germline.search.tuned_comparison.compare import Open, tuned_cell, with_finals, with_target
from germline.search.tuned_comparison.contender import Contender
from germline.search.tuned_comparison.results import Cell
from germline.search.tuned_comparison.trainings import Trainings

Say = Callable[[str], None]
"""Gets a line when something is done."""


def measured_cell(
    trainings: Trainings, task: str, steps: int, contenders: Sequence[Contender], protocol: Protocol, on_event: Say
) -> Cell:
    """Returns the cell of some contenders, tuned and trained with the final seeds.

    Args:
        trainings: on the task.
        task: its full name.
        steps: of rung 0.
        contenders: at least one.
        protocol: how much is trained.
        on_event: gets a line when one is tuned.
    """
    cell = tuned_cell(trainings, task, protocol.length, steps, contenders, protocol.plan, on_event)
    return with_finals(trainings, cell, protocol.seeds)


def with_judged(
    cell: Cell, trainings: Trainings, steps: int, contenders: Sequence[Contender], protocol: Protocol, on_event: Say
) -> Cell:
    """Measures `contenders` by the protocol; returns `cell` with their results before those of its baselines.

    `cell` has a reference, whose place moves along. The other arguments are those of `measured_cell`.
    """
    own = measured_cell(trainings, cell.task, steps, contenders, protocol, on_event).results
    assert cell.reference is not None
    return replace(cell, results=(*own, *cell.results), reference=len(own) + cell.reference)


def remade(
    table: BaselineTable,
    tasks: Mapping[str, type[TrainingTask]],
    opened: Open,
    device: str,
    on_rows: Callable[[BaselineTable], None],
    on_event: Say,
) -> BaselineTable:
    """Measures rows that a table lacks, or that are out of date or of another device, and returns the whole table.

    Args:
        table: with the rows that there are.
        tasks: classes of the tasks by their full names, in the order in which they are measured.
        opened: opens the trainings on a task.
        device: where trainings are done, `cpu` or `cuda`.
        on_rows: called with the table after each task of which rows were measured.
        on_event: gets a line when something is done.
    """
    for name, task in tasks.items():
        missing = [baseline for baseline in table.baselines if not _holds(table, name, baseline, task, device)]
        if not missing:
            continue
        contenders = [baseline_contender(baseline) for baseline in missing]
        with opened(name) as trainings:
            cell = measured_cell(trainings, name, task.rungs[0].steps, contenders, table.protocol, on_event)
            if YARDSTICK in missing and cell.results[missing.index(YARDSTICK)].finals:
                cell = replace(cell, reference=missing.index(YARDSTICK))
                cell = with_target(trainings, cell, table.protocol.seeds)
        for place, baseline in enumerate(missing):
            table = table.with_row(row_of(cell, place, versions_of(name, task, baseline, device)))
        on_rows(table)
    return table


def _holds(table: BaselineTable, name: str, baseline: str, task: type[TrainingTask], device: str) -> bool:
    """Whether the row of a baseline need not be measured again."""
    row = table.row(name, baseline)
    return row is not None and row.versions.device == device and outdated(row, task, table.protocol) is None
