"""A session of a search on a terminal, with budget, live view, signals and summary."""

import os
import re
import shlex
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any

from germline.cli.database import open_store
from germline.cli.errors import UserError
from germline.cli.live_view import live_view
from germline.cli.options import SessionOptions
from germline.cli.output import stdout_apart
from germline.cli.printing import command_line
from germline.cli.search_summary import finish
from germline.db.records import RunRecord
from germline.db.store import Store
from germline.evaluators.tasks.registry import confirmed_name, needs_confirmation, task_class
from germline.search.progress import Progress
from germline.search.run import evolve, new_run

_PASSWORD = re.compile(r"(://[^:/@]*:)[^@]*(@)")


@dataclass(frozen=True)
class Budget:
    """When a resumed run ends, in totals over all its sessions; without any limit, at the budget of its creation."""

    births: int | None = None
    evaluations: int | None = None
    frames: int | None = None


def start(options: SessionOptions, url: str, as_json: bool, **run: Any) -> None:
    """Creates a run in the database at `url` and searches.

    Args:
        options: how the search runs.
        url: the database, which is created if it does not exist.
        as_json: whether to print the summary as JSON.
        run: arguments of `new_run`.

    Raises:
        UserError, MissingData, DatabaseError, ValueError: as `new_run` and `run_session`.
    """
    with open_store(url, create=True) as store:
        with stdout_apart():
            record = new_run(store, **run)
        run_session(options, store, record, url, as_json, given_task=record.task)


def resume(
    options: SessionOptions, url: str, as_json: bool, name: str, budget: Budget, force: bool, task: str | None
) -> None:
    """Resumes a run in the database at `url`; `force` takes it over from a process on another host, `task` is the name
    of its task if the user gave it. Raises as `start`."""
    with open_store(url) as store:
        run_session(options, store, store.run(name), url, as_json, budget, force, task)


def run_session(
    options: SessionOptions,
    store: Store,
    run: RunRecord,
    url: str,
    as_json: bool,
    budget: Budget = Budget(),
    force: bool = False,
    given_task: str | None = None,
) -> None:
    """Searches until a budget is used up, the run is stopped or a signal arrives; then prints the summary.

    `given_task` is the name of the run's task if the user gave it.

    Raises:
        UserError: interrupted by a signal (status 130 or 143).
        UnconfirmedTask: the user has to name the task of the run.
        MissingData: the data of the task are not in the data directory.
    """
    with stdout_apart():
        task = task_class(confirmed_name(run.task, given_task))
        task.check_data()
    single = options.executor == "inline" or (options.executor == "auto" and task.light and not options.ray_address)
    unlimited = not (budget.births or budget.evaluations or budget.frames)
    goal = run.config["births"] if unlimited else budget.births
    resume_command = _resume_command(run, url, options.data)
    last: Progress | None = None
    with _signals() as received:
        events = evolve(
            store,
            run.name,
            task=run.task,
            workers=options.workers or (1 if single else _cores()),
            executor=options.executor,  # type: ignore[arg-type]
            device=options.device,
            ray_address=options.ray_address,
            births=budget.births,
            evaluations=budget.evaluations,
            frames=budget.frames,
            seconds=options.seconds,
            force=force,
            stopped=lambda: bool(received),
        )
        try:
            with live_view(run, goal, options.seconds) as show, stdout_apart():
                for last in events:
                    show(last)
        finally:
            events.close()  # type: ignore[attr-defined]
    if received:
        raise UserError(f"interrupted; all outcomes are recorded. Go on with: {resume_command}", 128 + received[0])
    finish(store, run, last, resume_command, as_json)


def _resume_command(run: RunRecord, url: str, data: str | None) -> str:
    """The command that resumes a run, with --task, --db and --data where they are needed; passwords are hidden."""
    command = command_line("resume", run.name)
    if needs_confirmation(run.task):
        command += " --task " + shlex.quote(run.task)
    if url not in ("sqlite:///germline.db", os.environ.get("GERMLINE_DB")):
        command += " --db " + shlex.quote(_PASSWORD.sub(r"\1***\2", url))
    if data is not None:
        command += " --data " + shlex.quote(data)
    return command


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1


@contextmanager
def _signals() -> Iterator[list[int]]:
    """Yields a list to which the numbers of SIGINT and SIGTERM are added when they arrive.

    The first signal only adds its number, because the handler may run within a transaction or a call into Ray: the
    session ends when the pack in flight is finished (inline), or at once without the packs on Ray. The second signal
    has the system's own handler and ends the process.
    """
    received: list[int] = []

    def handle(number: int, frame: FrameType | None) -> None:
        received.append(number)
        for handled in before:  # ends the process at once, even within compiled code
            signal.signal(handled, signal.SIG_DFL)
        os.write(2, b"stopping in order; once more to leave at once\n")

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
