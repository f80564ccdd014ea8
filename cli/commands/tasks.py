"""`germline tasks`: lists the tasks that score candidates, and tries them."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.text import Text

from germline.cli.errors import UserError
from germline.cli.formatting import BAD, GOOD, QUIET, safe
from germline.cli.options import json_option
from germline.cli.output import console, print_json, stdout_apart
from germline.cli.presenters.registry import presenter_of
from germline.evaluators.errors import InvalidTask
from germline.evaluators.policy.task import PolicyTask, environment_spec_of
from germline.evaluators.tasks.name_grammar import names_of
from germline.evaluators.tasks.registry import describe, task_class, task_names

_MORE = (
    "an entry point of the group germline.tasks, a class as FILE.py:Class, or a variant of a task for optimizers as "
    "TASK@rescaled,bf16,batch=N,steps=N"
)

if TYPE_CHECKING:
    from germline.search.task_trial.report import Report


@click.command()
@click.argument("names", nargs=-1, metavar="[TASK]...")
@click.option("--check", is_flag=True, help="Try each TASK: the same bits again, its speed, its headroom.")
@json_option
@click.pass_context
def command(context: click.Context, names: tuple[str, ...], check: bool, as_json: bool) -> None:
    """List all tasks with the length of each rung, or each TASK with its environment too.

    Your own task is a class in a file (FILE.py:Class), or an entry point of the group germline.tasks in an installed
    package. With --check, genomes are scored on the task in several ways, in this process and in one more; the exit
    status is 1 if the task breaks its contract or what it claims. A training task is also timed, and AdamW and three
    other optimizers are tuned a little, for an estimate of what there is to find: a minute or two.

    \b
    Examples:
      germline tasks
      germline tasks my_task.py:MyTask --check
    """
    if check and not names:
        raise UserError("expected a TASK to check, got none; write for example: germline tasks digits-mlp --check")
    names = tuple(each for name in names for each in names_of(name))
    rows = [_row(name) | _environment_row(name) for name in names] if names else _all_rows()
    if check:
        with stdout_apart():
            rows = [row | _trial_row(name) for name, row in zip(names, rows, strict=True)]
    if as_json:
        print_json(rows)
    else:
        _print(rows, all_tasks=not names)
    if any(trial["broken"] for row in rows for trial in row.get("trials", [])):
        context.exit(1)


def _all_rows() -> list[dict[str, Any]]:
    """Rows of all registered tasks. A task that fails to load has an `error`, so that the others are still listed."""
    rows = []
    for task in task_names():
        try:
            rows.append(_row(task.name))
        except InvalidTask as error:
            rows.append({"name": task.name, "error": str(error)})
    return rows


def _row(name: str) -> dict[str, Any]:
    task = describe(name)
    return {
        "name": task.name,
        "kind": task.kind,
        "version": task.version,
        "held_out_task": task.held_out_task,
        "description": task.summary,
        "rungs": [asdict(rung) for rung in task.rungs],
        "parameters": task.parameters,
    }


def _environment_row(name: str) -> dict[str, Any]:
    """Observations, actions and episode length of a task's environment; empty for a task without environment.

    Raises:
        InvalidTask: the environment cannot be created.
    """
    task = task_class(name)
    if not issubclass(task, PolicyTask):
        return {}
    spec = environment_spec_of(task)
    actions = spec.actions if isinstance(spec.actions, int) else [list(spec.actions.low), list(spec.actions.high)]
    return {"observation": list(spec.observation), "actions": actions, "steps": spec.steps, "frames": spec.frames}


def _trial_row(name: str) -> dict[str, Any]:
    """The reports of the trials of a task, up to one that finds it broken."""
    from germline.search.task_trial import TRIALS  # here, since it imports the evaluators of all kinds
    from germline.search.task_trial.subject import subject_of

    subject = subject_of(name)
    reports: list[Report] = []
    for trial in TRIALS:
        report = trial(subject)
        if report is not None:
            reports.append(report)
        if report is not None and report.broken:  # of a task that fails, speed and headroom say nothing
            break
    return {
        "batch_invariant": subject.task.batch_invariant,
        "trials": [asdict(report) | {"broken": report.broken} for report in reports],
    }


def _print(rows: Sequence[Mapping[str, Any]], all_tasks: bool) -> None:
    out = console()
    for row in rows:
        if "error" in row:
            out.print(safe(row["name"], "bold"))
            out.print(safe(f"  {row['error']}", BAD))
        else:
            _print_task(out, row)
    if all_tasks:
        out.print()
        out.print(Text(f"More: {_MORE}.", QUIET))


def _print_task(out: Console, row: Mapping[str, Any]) -> None:
    held_out = ", a held-out task" if row["held_out_task"] else ""
    out.print(Text.assemble(safe(row["name"], "bold"), (f"  {row['kind']}, version {row['version']}{held_out}", QUIET)))
    out.print(Text.assemble("  ", safe(row["description"])))
    for line in presenter_of(row["kind"]).rungs(row):
        out.print(Text(f"  {line}", QUIET))
    for trial in row.get("trials", []):
        width = max(len(finding["name"]) for finding in trial["findings"])
        for finding in trial["findings"]:
            out.print(safe(f"  {finding['name']:{width}}  {finding['text']}", BAD if finding["broken"] else ""))
        out.print(safe(f"  {trial['conclusion']}", BAD if trial["broken"] else GOOD))
