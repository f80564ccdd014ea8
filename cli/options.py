"""Options that several commands share: decorators and parameter types of click."""

import os
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

import click

from germline.cli.errors import UserError
from germline.cli.output import AS_CSV
from germline.evaluators.data.directory import VARIABLE
from germline.evaluators.device import DEVICES
from germline.evaluators.tasks.name_grammar import joined
from germline.search.value_parsers import amount

F = TypeVar("F", bound=Callable[..., Any])

SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
"""Seconds in each unit that `Duration` reads."""


class Duration(click.ParamType[float]):
    """A time such as `90`, `90s`, `10m`, `2h` or `1d`, converted to seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        text = str(value)
        number, unit = (text[:-1], text[-1]) if text[-1:] in SECONDS else (text, "s")
        try:
            seconds = float(number) * SECONDS[unit]
        except ValueError:
            seconds = 0.0
        if not 0.0 < seconds < float("inf"):
            self.fail(f"expected a time such as 90s, 10m or 2h, got {text!r:.40}", param, ctx)
        return seconds


class Amount(click.ParamType[int]):
    """A number such as `2M`, `400k` or `2000000`."""

    name = "amount"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        try:
            count = amount(str(value))
        except ValueError:
            count = None
        if count is None:
            self.fail(f"expected a number such as 2M, 400k or 2000000, got {str(value)!r:.40}", param, ctx)
        return count


def device_option(
    help: str = "Device that trains candidates, or computes the networks of policies.", default: str | None = "auto"
) -> Callable[[F], F]:
    """Adds `--device`, a name out of `germline.evaluators.device.DEVICES`, as the argument `device`."""
    return click.option("--device", type=click.Choice(DEVICES), default=default, show_default=True, help=help)


def worker_options(work: str = "candidates are scored", only_with: str | None = None) -> Callable[[F], F]:
    """Adds `--workers`, `--executor` and `--ray-address`, where work is done.

    The command receives `workers`, None for as many as suit the task, `executor` and `ray_address`, None without a
    cluster.

    Args:
        work: a passive clause that names the work, for the help of `--executor`.
        only_with: the option that these belong to. Their help begins with it, their arguments with its name, as in
            `against_workers`, and `executor` too is None unless it is given.
    """

    def text(sentence: str) -> str:
        return sentence if only_with is None else f"With {only_with}: {sentence[0].lower()}{sentence[1:]}"

    def argument(name: str) -> str:
        return name if only_with is None else f"{only_with.strip('-')}_{name}"

    workers = click.option(
        "--workers",
        argument("workers"),
        type=click.IntRange(min=1),
        default=None,
        help=text("Number of workers; by default one per core, or 1 for tasks that take milliseconds."),
    )
    executor = click.option(
        "--executor",
        argument("executor"),
        type=click.Choice(["auto", "ray", "inline"]),
        default="auto" if only_with is None else None,
        show_default=True,
        help=text(f"Where {work}: on Ray workers, or inline in this process; auto: Ray for several workers.")
        + "  [default: auto]" * (only_with is not None),
    )
    ray_address = click.option(
        "--ray-address",
        argument("ray_address"),
        default=None,
        metavar="ADDRESS",
        help=text("Address of a running Ray cluster: auto, or host:port."),
    )
    return lambda command: workers(executor(ray_address(command)))


def db_option(command: F) -> F:
    """Adds `--db URL`, the database of runs, as the argument `url`."""
    return click.option(
        "--db",
        "url",
        default="sqlite:///germline.db",
        envvar="GERMLINE_DB",
        show_default=True,
        metavar="URL",
        help="Database: a SQLAlchemy URL, or the path of a SQLite file. [env: GERMLINE_DB]",
    )(command)


def confirmed_task_option(command: F) -> F:
    """Adds `--task`, as the argument `task`: the run's task, which the user repeats to allow that its code is run."""
    return click.option(
        "--task",
        multiple=True,
        callback=lambda context, option, tasks: joined(tasks) if tasks else None,
        help="The run's task (again for each of several), which must be named if it is FILE.py:Class or gym:MODULE:ID, "
        "because a database must not choose code.",
    )(command)


def confirmed_operators_option(command: F) -> F:
    """Adds `--operator`, as the argument `operators`: what the user repeats to allow that it is asked for genomes."""
    return click.option(
        "--operator",
        "operators",
        multiple=True,
        metavar="NAME",
        help="An operator from outside of the run (repeatable): FILE.py:function, or the address of llm, which must be "
        "named because a database must not choose code or where a key is sent.",
    )(command)


def json_option(command: F) -> F:
    """Adds `--json` and `--csv`, machine-readable output, as the argument `as_json`: with --csv it is true too, and
    `germline.cli.output.print_json` prints a table."""

    @click.option("--json", "as_json", is_flag=True, help="Print JSON on stdout instead of text.")
    @click.option("--csv", "as_csv", is_flag=True, help="Print the data of --json as a table, a line for each record.")
    @wraps(command)
    def wrapper(*args: Any, as_json: bool, as_csv: bool, **options: Any) -> Any:
        if as_json and as_csv:
            raise UserError("expected --json or --csv, got both; leave one out")
        click.get_current_context().meta[AS_CSV] = as_csv
        return command(*args, as_json=as_json or as_csv, **options)

    return cast(F, wrapper)


def data_option(expose: bool) -> Callable[[F], F]:
    """Adds `--data DIR`, the directory of data sets, which applies to this process and its workers.

    Args:
        expose: whether the command receives the directory as the argument `data`.
    """
    return click.option(
        "--data",
        type=click.Path(exists=True, file_okay=False),
        default=None,
        metavar="DIR",
        callback=_set_data_directory,
        expose_value=expose,
        help="Directory of your copies of data sets; ./data by default. [env: GERMLINE_DATA]",
    )


def _set_data_directory(context: click.Context, option: click.Parameter, folder: str | None) -> str | None:
    if folder is not None:
        os.environ[VARIABLE] = folder
    return folder


frames_option = click.option(
    "--frames",
    type=Amount(),
    default=None,
    metavar="2M",
    help="For policies: begin no block after this many frames in total, with reviews.",
)


def size_options(command: F) -> F:
    """Adds `--channels`, `--cells`, `--classes` and `--image`, the size of an architecture's network.

    The command receives the argument `sizes`, a dict that holds the options that were given.
    """

    @wraps(command)
    def wrapper(*args: Any, **options: Any) -> Any:
        values = {name: options.pop(name) for name in ("channels", "cells", "classes", "image")}
        sizes = {name: value for name, value in values.items() if value is not None}
        return command(*args, sizes=sizes, **options)

    count = click.IntRange(1, 100_000)
    for option in (
        click.option(
            "--image", callback=_image, metavar="C,H,W", help="Image of an architecture's network, such as 3,32,32."
        ),
        click.option("--classes", type=count, help="Number of classes of an architecture's network."),
        click.option(
            "--cells", type=count, help="Number of cells of an architecture's network; by default its run's or paper's."
        ),
        click.option(
            "--channels",
            type=count,
            help="Channels of the first cell of an architecture's network; by default its run's or paper's.",
        ),
    ):
        wrapper = option(wrapper)
    return cast(F, wrapper)


def _image(context: click.Context, option: click.Parameter, text: str | None) -> tuple[int, ...] | None:
    if text is None:
        return None
    parts = text.split(",")
    if len(parts) != 3 or not all(part.strip().isdecimal() and 0 < int(part) < 100_000 for part in parts):
        raise click.BadParameter(f"expected channels,height,width such as 3,32,32, got {text!r:.60}")
    return tuple(map(int, parts))
