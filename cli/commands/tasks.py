"""`germline tasks`: what candidates can be scored on."""

from dataclasses import asdict
from typing import Any

import click

from germline.cli.common import console, json_option, print_json


@click.command()
@click.argument("names", nargs=-1, metavar="[TASK]...")
@json_option
def command(names: tuple[str, ...], as_json: bool) -> None:
    """List the tasks, or TASK alone, and how much each rung trains.

    A task of your own is a class in a file (FILE.py:Class), or an entry point of the group germline.tasks in a package
    that is installed.

    \b
    Examples:
      germline tasks
      germline tasks my_task.py:MyTask
    """
    from germline.evaluators.tasks.registry import describe, task_names

    rows = (
        [_row(describe(name)) | _world(name) for name in names]
        if names
        else [_listed(one.name) for one in task_names()]
    )
    if as_json:
        print_json(rows)
    else:
        _print(rows, all_named=not names)


def _world(name: str) -> dict[str, Any]:
    """What policies meet in a task, which tells whether there is such a one."""
    from germline.evaluators.policy.task import PolicyTask, environment_spec_of
    from germline.evaluators.tasks.registry import task_class

    task = task_class(name)
    if not issubclass(task, PolicyTask):
        return {}
    spec = environment_spec_of(task)
    actions = spec.actions if isinstance(spec.actions, int) else [list(spec.actions.low), list(spec.actions.high)]
    return {"observation": list(spec.observation), "actions": actions, "steps": spec.steps, "frames": spec.frames}


def _listed(name: str) -> dict[str, Any]:
    """A task of the list; one that somebody else's package breaks must not hide the others."""
    from germline.evaluators.errors import InvalidTask
    from germline.evaluators.tasks.registry import describe

    try:
        return _row(describe(name))
    except InvalidTask as error:
        return {"name": name, "error": str(error)}


def _row(task: Any) -> dict[str, Any]:
    return {
        "name": task.name,
        "kind": task.kind,
        "version": task.version,
        "description": task.summary,
        "rungs": [asdict(rung) for rung in task.rungs],
        "parameters": task.parameters,
    }


def _print(rows: list[dict[str, Any]], all_named: bool) -> None:
    from rich.text import Text

    from germline.cli.policy_text import counted
    from germline.cli.render import BAD, QUIET, safe

    out = console()
    for row in rows:
        if "error" in row:
            out.print(safe(row["name"], "bold"))
            out.print(safe(f"  {row['error']}", BAD))
            continue
        out.print(Text.assemble(safe(row["name"], "bold"), (f"  {row['kind']}, version {row['version']}", QUIET)))
        out.print(Text.assemble("  ", safe(row["description"])))
        if row["kind"] == "policy":
            episodes = " → ".join(str(rung["episodes"]) for rung in row["rungs"])
            out.print(Text(f"  rungs of {episodes} episodes", QUIET))
            if "steps" in row:
                chosen = row["actions"]
                does = (
                    counted(chosen, "action")
                    if isinstance(chosen, int)
                    else f"{counted(len(chosen[0]), 'number')} to set"
                )
                out.print(Text(f"  sees {row['observation']}, {does}, at most {row['steps']:,} decisions", QUIET))
            continue
        steps = " → ".join(f"{rung['steps']:,}" for rung in row["rungs"])
        batches = "/".join(dict.fromkeys(str(rung["batch"]) for rung in row["rungs"]))
        size = f"; {row['parameters']:,} parameters" if row["parameters"] else ""
        out.print(Text(f"  rungs of {steps} steps, {batches} examples a step{size}", QUIET))
    if all_named:
        out.print()
        out.print(Text("More: an entry point of the group germline.tasks, or a class as FILE.py:Class.", QUIET))
