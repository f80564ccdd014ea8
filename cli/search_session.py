"""A session of a search on a terminal, with budget, live view, signals and summary."""

import os
import shlex
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any

from germline.cli.database import on_database, open_store
from germline.cli.errors import UserError, exit_status, single_line
from germline.cli.interrupts import deferred_signals
from germline.cli.live_view import live_view
from germline.cli.output import print_json, stdout_apart
from germline.cli.printing import command_line, say
from germline.cli.search_summary import finish
from germline.cli.session_options import SessionOptions
from germline.db.errors import DatabaseError
from germline.db.passwords import without_passwords
from germline.db.records import RunRecord
from germline.db.store import Store
from germline.evaluators.executors.executor import ClusterLost, DeviceLost, NoCluster, NoWorker
from germline.evaluators.task import Task
from germline.evaluators.tasks.name_grammar import names_of
from germline.evaluators.tasks.registry import confirmed_name, needs_confirmation, task_class
from germline.search.kinds import KINDS
from germline.search.loggers import logged, loggers_named
from germline.search.progress import Progress
from germline.search.proposers import loading
from germline.search.run import evolve, plan_run, record_run

Report = Callable[[dict[str, Any]], None]
"""Prints the data of a summary."""


@dataclass(frozen=True)
class Budget:
    """Limits of a resumed run, counted over all its sessions; None: no limit. If all are None, the run's own hold."""

    births: int | None = None
    evaluations: int | None = None
    frames: int | None = None


def warn_of_held_out_tasks(task: str) -> None:
    """Warns of each held-out task in the task of a new run."""
    for name in names_of(task):
        if task_class(name).held_out_task:
            say(f"Warning: {name} is a held-out task, so what is found on it cannot be judged on it", err=True)


def start(
    options: SessionOptions,
    url: str,
    as_json: bool,
    report: Report = print_json,
    begun: Callable[[RunRecord], object] = lambda run: None,
    **run: Any,
) -> None:
    """Creates a run in the database at `url` and searches.

    Args:
        options: how the search runs.
        url: the database, which is created if it does not exist.
        as_json: whether to print the summary as JSON.
        report: prints the data of the summary if `as_json`.
        begun: is told the run when it is recorded.
        run: arguments of `plan_run`.

    Raises:
        UserError, MissingData, DatabaseError, ValueError, SearchFailed: as `plan_run` and `run_session`.
    """
    loggers_named(options.loggers)  # a mistake is reported before a run is recorded
    with open_store(url, create=True) as store:
        with stdout_apart():
            plan = plan_run(**run, device=options.device)
        warn_of_held_out_tasks(plan.task)
        with deferred_signals() as received:  # from here on there is a run to resume
            record = record_run(store, plan)
            begun(record)
            try:
                named = operators_to_name(record)
                run_session(
                    options,
                    store,
                    record,
                    url,
                    as_json,
                    received,
                    given_task=plan.task,
                    report=report,
                    operators=named,
                )
            except UserError:
                raise
            except Exception:
                # The workers never started, say: nobody needs a run without births, which would hold its name.
                with suppress(DatabaseError):
                    store.forget(record.id)
                raise


def resume(
    options: SessionOptions,
    url: str,
    as_json: bool,
    name: str,
    budget: Budget,
    force: bool,
    task: str | None,
    operators: Sequence[str] = (),
) -> None:
    """Resumes a run in the database at `url`.

    `force` takes the run from the process that owns it, even if that process may be alive; `task` is the name of the
    run's task as the user gave it, or None; `operators` are those from outside that the user named. Raises as `start`.
    """
    loggers_named(options.loggers)
    with open_store(url) as store:
        run = store.run(name)
        _loaded_task(run, task)  # takes seconds, in which a signal ends the command at once
        with deferred_signals() as received:
            run_session(options, store, run, url, as_json, received, budget, force, task, operators=operators)


def run_session(
    options: SessionOptions,
    store: Store,
    run: RunRecord,
    url: str,
    as_json: bool,
    received: Sequence[int],
    budget: Budget = Budget(),
    force: bool = False,
    given_task: str | None = None,
    report: Report = print_json,
    operators: Sequence[str] = (),
) -> None:
    """Searches until a budget is used up, the run is stopped or a signal arrives; then prints the summary.

    `received` gets the number of a signal when it arrives; `given_task` is the name of the run's task if the user gave
    it, and `operators` are the operators from outside that the user named.

    Raises:
        UserError: interrupted by a signal (status 130, 143 or 129), the workers are lost for good (1), or `finish`
            raises it.
        MissingData: the data of the task are not in the data directory.
        RunBusy, RunOutdated, SearchFailed, UnconfirmedTask and others: as `evolve`.
    """
    task = _loaded_task(run, given_task)
    single = options.executor == "inline" or (options.executor == "auto" and task.light and not options.ray_address)
    workers = options.workers or (1 if single else _cores())
    unlimited = not (budget.births or budget.evaluations or budget.frames)
    goal = run.config.get("births") if unlimited else budget.births
    resume_command = resume_command_of(run, url, options.data, budget, options.loggers)
    last: Progress | None = None
    search = evolve(
        store,
        run.name,
        task=run.task,
        workers=workers,
        executor=options.executor,  # type: ignore[arg-type]
        device=options.device,
        ray_address=options.ray_address,
        births=budget.births,
        evaluations=budget.evaluations,
        frames=budget.frames,
        seconds=options.seconds,
        force=force,
        operators=operators,
        stopped=lambda: bool(received),
    )
    events = logged(store, run.name, search, loggers_named(options.loggers))
    try:
        with live_view(run, goal, options.seconds) as show, stdout_apart():
            for last in events:
                show(last)
    except (ClusterLost, DeviceLost, NoCluster, NoWorker) as error:
        if not received:
            raise _resumable(error, store, run, resume_command) from None
    except Exception:
        if not received:  # Ctrl-C reaches the workers too, and their loss is no news
            raise
    finally:
        events.close()  # type: ignore[attr-defined]
    if last and last.unscored:  # an earlier session had a larger budget
        whole = Budget(births=last.replayed)
        resume_command = resume_command_of(run, url, options.data, whole, options.loggers)
    if not received:
        finish(store, run, last, resume_command, url, as_json, report)
    if received:
        raise UserError(f"interrupted; all outcomes are recorded. Go on with: {resume_command}", 128 + received[0])


def _resumable(error: Exception, store: Store, run: RunRecord, resume_command: str) -> Exception:
    """The error of a search without workers, with the command that resumes the run if it has births."""
    if next(store.individuals(run.id), None) is None:
        return error
    text = f"{single_line(error)}; all outcomes are recorded. Go on with: {resume_command}"
    return UserError(text, exit_status(error))


def _loaded_task(run: RunRecord, given_task: str | None) -> type[Task]:
    """The task of a run, after a check that its data are there. Raises as `run_session` does."""
    with stdout_apart():
        task = task_class(confirmed_name(run.task, given_task))
        task.check_data()
    return task


def resume_command_of(
    run: RunRecord, url: str, data: str | None, budget: Budget = Budget(), loggers: Sequence[str] = ()
) -> str:
    """The command that resumes a run, with the budget, --task, --db, --data and --log where they are needed; passwords
    are hidden."""
    command = command_line("resume", run.name)
    for name, limit in asdict(budget).items():
        if limit is not None:
            command += f" --{name} {limit}"
    if needs_confirmation(run.task):
        command += " --task " + shlex.quote(run.task)
    for name in operators_to_name(run):
        command += " --operator " + shlex.quote(name)
    command = on_database(command, url)
    if data is not None:
        command += " --data " + shlex.quote(data)
    for logger in loggers:
        command += " --log " + shlex.quote(without_passwords(logger))
    return command


def operators_to_name(run: RunRecord) -> list[str]:
    """The operators from outside that have to be named to resume a run; empty if its config cannot be read."""
    kind = KINDS.get(run.kind)
    if kind is None:
        return []
    try:
        return loading.needs_confirmation(kind.from_config(run.config.get("settings", {})), kind.own_operators)
    except ValueError:
        return []


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
