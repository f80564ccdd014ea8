"""The course of `germline leaderboard`, from what the user named to the board."""

import shlex
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from germline.cli.database import open_store
from germline.cli.errors import UserError
from germline.cli.interrupts import deferred_signals
from germline.cli.leaderboard.report import left_out_lines
from germline.cli.leaderboard.session import placed, remade_table, table_to_remake, tasks_of_board
from germline.cli.reference import resolve
from germline.cli.session_options import SessionOptions
from germline.cli.tuned_comparison.contenders import judged_contenders, require_optimizers
from germline.cli.tuned_comparison.kept import keep_verdicts
from germline.db.store import Store
from germline.evaluators.executors.executor import Stopped
from germline.evaluators.optimizer.torch_classes import is_class_name
from germline.evaluators.tasks.registry import needs_confirmation
from germline.programs.export.files import check_writable
from germline.search.leaderboard.board import Board, board_of
from germline.search.leaderboard.protocol import TASKS
from germline.search.leaderboard.table_file import package_table, read_table


@dataclass(frozen=True)
class BoardRequest:
    """What the command line says.

    Attributes:
        references: what is placed among the baselines; none: these alone.
        tasks: names of tasks; none: all of the table.
        held_out: True: held-out tasks alone.
        tuned: False: each of `references` is trained with its own constants on every task.
        table: the file of the table; None: that of the package.
        remake: True: measure what the table lacks.
        protocol: fields of the protocol of a new table.
        session: workers, executor, device and Ray address.
        url: the database.
    """

    references: tuple[str, ...]
    tasks: tuple[str, ...]
    held_out: bool
    tuned: bool
    table: Path | None
    remake: bool
    protocol: Mapping[str, Any]
    session: SessionOptions
    url: str

    @property
    def command(self) -> str:
        """The command that makes the same board."""
        words = ["germline", "leaderboard", *self.references]
        for task in self.tasks:
            words += ["--task", task]
        words += ["--held-out"] if self.held_out else []
        words += [] if self.tuned else ["--untuned"]
        return shlex.join([*words, *(["--table", str(self.table)] if self.table else [])])


def leaderboard(request: BoardRequest) -> tuple[Board, list[str]]:
    """Returns the board, and the labels of the individuals of runs with which a verdict was recorded.

    Raises:
        UserError: a mistake in what was named; or the command was interrupted, and all that was trained is recorded.
        BadReference, DatabaseError, InvalidClass, InvalidTable, InvalidTask: something that was named cannot be used.
        NoWorker, NoCluster, ClusterLost, DeviceLost: trainings cannot be done.
    """
    path = request.table or package_table()
    ours = path.resolve() == package_table()
    if request.remake:
        check_writable(path)
        table = table_to_remake(path, request.protocol)
        every = tuple(dict.fromkeys([*TASKS, *table.tasks]))
        tasks, foreign = tasks_of_board(every, request.tasks, request.held_out)
        if ours and any(map(needs_confirmation, tasks)):
            raise UserError("expected a file of your own with --table for tasks of your own, such as --table own.jsonl")
        with _recorded(request.url) as (store, stopped):
            table = remade_table(path, table, tasks, request.session, store, stopped)
        return board_of(table, tasks, foreign), []
    candidates = [each if is_class_name(each) else resolve(each, request.url) for each in request.references]
    require_optimizers(candidates)
    table = read_table(path)
    every = TASKS if ours else table.tasks
    tasks, foreign = tasks_of_board(every, request.tasks, request.held_out)
    board = board_of(table, tasks, foreign)
    if not candidates:
        return board, []
    if not board.cells:
        raise UserError(
            f"expected a task that can be compared; {'; '.join(left_out_lines(board)):.500}. A task of your own is "
            "measured by germline leaderboard --remake --table own.jsonl --task FILE.py:Class; name that --table here"
        )
    contenders = judged_contenders(candidates, board.contenders, request.tuned)
    with _recorded(request.url) as (store, stopped):
        board = placed(board, tasks, contenders, request.session, store, stopped)
    programs = [each for each in candidates if not isinstance(each, str)]
    return board, keep_verdicts(programs, board.groups[0].comparison, request.url)


@contextmanager
def _recorded(url: str) -> Iterator[tuple[Store, Callable[[], bool]]]:
    """Opens the database, and yields it with whether a signal has come.

    Raises:
        UserError: a signal has come, and what goes on in the block was `Stopped`.
    """
    with open_store(url, create=True) as store, deferred_signals() as received:
        try:
            yield store, lambda: bool(received)
        except Stopped:
            message = "interrupted; what is trained is recorded, and the same command goes on from there"
            raise UserError(message, 128 + received[0]) from None
