"""A call of `germline leaderboard`: reads the table, chooses tasks, and measures its rows or optimizers beside them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from germline.cli.errors import UserError
from germline.cli.printing import say
from germline.cli.session_options import SessionOptions
from germline.cli.tuned_comparison.training_place import TrainingPlace, class_names, compared_task
from germline.db.store import Store
from germline.evaluators.optimizer.task import TrainingTask
from germline.evaluators.tasks.name_grammar import absolute_name, names_of
from germline.evaluators.tasks.registry import needs_confirmation
from germline.search.leaderboard.board import Board, LeftOut
from germline.search.leaderboard.measure import remade, with_judged
from germline.search.leaderboard.protocol import Protocol
from germline.search.leaderboard.table import BaselineTable
from germline.search.leaderboard.table_file import read_table, write_table
from germline.search.tuned_comparison.contender import Contender

Tasks = Mapping[str, type[TrainingTask]]
"""Classes of tasks by their full names."""


def table_to_remake(path: Path, given: Mapping[str, Any]) -> BaselineTable:
    """Returns the table of a file, or one without rows if there is no such file.

    Args:
        path: of the file.
        given: fields of the protocol that the user gave.

    Raises:
        InvalidTable: the file is no table of this version.
        UserError: the file has another protocol than the given one.
    """
    if not path.exists():
        return BaselineTable(replace(Protocol(), **given))
    table = read_table(path)
    if replace(table.protocol, **given) != table.protocol:
        raise UserError(f"expected the protocol of {path}, {table.protocol}; for another one name a new --table")
    return table


def tasks_of_board(every: Sequence[str], named: Sequence[str], held_out: bool) -> tuple[Tasks, tuple[LeftOut, ...]]:
    """Returns the tasks to show or to measure, and those that only a table names and that the user has to name too.

    Args:
        every: all tasks that come into question, by their full names.
        named: what the user named instead; nothing: all of them.
        held_out: True: held-out tasks alone.

    Raises:
        BadReference, InvalidTask, UnknownTask: a name is that of no training task with held-out data.
        UserError: no task is left.
    """
    chosen = [absolute_name(name) for text in named for name in names_of(text)]
    names = list(dict.fromkeys(chosen)) or list(every)
    # A file from elsewhere must not choose code to import.
    foreign = [] if named else [name for name in names if needs_confirmation(name)]
    tasks = {name: compared_task(name, 0) for name in names if name not in foreign}
    if held_out:
        tasks = {name: task for name, task in tasks.items() if task.held_out_task}
        if not tasks:
            raise UserError(f"expected a held-out task with --held-out, got {', '.join(names):.200}")
    return tasks, tuple(
        LeftOut(name, "classes in files, imported only if you name them with --task") for name in foreign
    )


def remade_table(
    path: Path, table: BaselineTable, tasks: Tasks, session: SessionOptions, store: Store, stopped: Callable[[], bool]
) -> BaselineTable:
    """Measures what a table lacks, and writes its file after each task; says on stderr what is done.

    Raises:
        Stopped: `stopped` returned True; rows and trainings that are done are kept.
        NoWorker, NoCluster, ClusterLost, DeviceLost: trainings cannot be done.
        ExportUnwritable: the file cannot be written.
    """
    place = TrainingPlace(store, session, 0, table.protocol.length, {}, stopped)
    return remade(table, tasks, place.opened, place.device, lambda done: write_table(path, done), _say)


def placed(
    board: Board,
    tasks: Tasks,
    contenders: Sequence[Contender],
    session: SessionOptions,
    store: Store,
    stopped: Callable[[], bool],
) -> Board:
    """Returns a board with contenders before the baselines, measured by its protocol; says on stderr what is done.

    Raises:
        Stopped: `stopped` returned True; trainings that are done are kept.
        NoWorker, NoCluster, ClusterLost, DeviceLost: trainings cannot be done.
    """
    place = TrainingPlace(store, session, 0, board.protocol.length, class_names(contenders), stopped)
    cells = []
    for cell in board.cells:
        with place.opened(cell.task) as trainings:
            steps = tasks[cell.task].rungs[0].steps
            cells.append(with_judged(cell, trainings, steps, contenders, board.protocol, _say))
    return replace(board, cells=tuple(cells), judged_with=f"torch {torch.__version__} on {place.device}")


def _say(text: str) -> None:
    say(text, err=True)
