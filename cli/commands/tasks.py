"""`germline tasks`: lists the tasks that score candidates."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import click
from rich.console import Console
from rich.text import Text

from germline.cli.formatting import BAD, QUIET, safe
from germline.cli.options import json_option
from germline.cli.output import console, print_json
from germline.cli.presenters.registry import presenter_of
from germline.evaluators.errors import InvalidTask
from germline.evaluators.policy.task import PolicyTask, environment_spec_of
from germline.evaluators.tasks.registry import describe, task_class, task_names


@click.command()
@click.argument("names", nargs=-1, metavar="[TASK]...")
@json_option
def command(names: tuple[str, ...], as_json: bool) -> None:
    """List all tasks with the length of each rung, or each TASK with its environment too.

    Your own task is a class in a file (FILE.py:Class), or an entry point of the group germline.tasks in an installed
    package.

    \b
    Examples:
      germline tasks
      germline tasks my_task.py:MyTask
    """
    rows = [_row(name) | _environment_row(name) for name in names] if names else _all_rows()
    if as_json:
        print_json(rows)
    else:
        _print(rows, all_tasks=not names)


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
        out.print(Text("More: an entry point of the group germline.tasks, or a class as FILE.py:Class.", QUIET))


def _print_task(out: Console, row: Mapping[str, Any]) -> None:
    out.print(Text.assemble(safe(row["name"], "bold"), (f"  {row['kind']}, version {row['version']}", QUIET)))
    out.print(Text.assemble("  ", safe(row["description"])))
    for line in presenter_of(row["kind"]).rungs(row):
        out.print(Text(f"  {line}", QUIET))
