"""The options that plan a run, for the commands that record one."""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

import click

from germline.cli.options import frames_option
from germline.cli.run_names import check_run_name
from germline.evaluators.tasks.name_grammar import joined

F = TypeVar("F", bound=Callable[..., Any])

_OPTIONS = (
    click.option(
        "--preset", default="quick", show_default=True, help="Named settings to start from (germline presets)."
    ),
    click.option(
        "--task",
        multiple=True,
        help="Task that scores candidates: a name (germline tasks), FILE.py:Class or a variant; for optimizers "
        "repeatable.",
    ),
    click.option(
        "--set", "settings", multiple=True, metavar="KEY=VALUE", help="Replace a setting of the preset; repeatable."
    ),
    click.option("--name", default=None, metavar="RUN", help="Name of the run; by default optimizer-1, optimizer-2, …"),
    click.option("--births", type=click.IntRange(min=1), default=None, help="Finish the run after this many births."),
    click.option(
        "--evaluations", type=click.IntRange(min=1), default=None, help="Begin no block after this many evaluations."
    ),
    frames_option,
    click.option(
        "--seed", type=click.IntRange(0, 2**63 - 1), default=0, show_default=True, help="Seed of the whole run."
    ),
)
_ARGUMENTS = ("preset", "task", "settings", "name", "births", "evaluations", "frames", "seed")


def plan_options(command: F) -> F:
    """Adds `--preset`, `--task`, `--set`, `--name`, `--births`, `--evaluations`, `--frames` and `--seed`.

    The command receives the argument `plan_arguments`, a dict of arguments of `germline.search.run.plan_run`.

    Raises, when the command is called:
        UserError: no run may have the given name.
    """

    @wraps(command)
    def wrapper(*args: Any, **options: Any) -> Any:
        plan_arguments = {name: options.pop(name) for name in _ARGUMENTS}
        check_run_name(plan_arguments["name"])
        plan_arguments["task"] = joined(plan_arguments["task"]) if plan_arguments["task"] else None
        return command(*args, plan_arguments=plan_arguments, **options)

    for option in reversed(_OPTIONS):
        wrapper = option(wrapper)
    return cast(F, wrapper)
