"""What commands share: the options that name a database and the output format, and how results are printed."""

import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

from germline.cli.errors import UserError, printable
from germline.evaluators.data.directory import VARIABLE

if TYPE_CHECKING:
    from rich.console import Console

    from germline.db.store import Store

F = TypeVar("F", bound=Callable[..., Any])


def db_option(command: F) -> F:
    """`--db URL`: where runs are kept."""
    return click.option(
        "--db",
        "url",
        default="sqlite:///germline.db",
        envvar="GERMLINE_DB",
        show_default=True,
        metavar="URL",
        help="Database: a SQLAlchemy URL, or the path of a SQLite file. [env: GERMLINE_DB]",
    )(command)


def json_option(command: F) -> F:
    """`--json`: machine-readable output."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON on stdout instead of text.")(command)


def data_option(expose: bool) -> Callable[[F], F]:
    """`--data DIR`: where data sets lie. It holds for this process and its workers; a command may want to know it."""
    return click.option(
        "--data",
        type=click.Path(exists=True, file_okay=False),
        default=None,
        metavar="DIR",
        callback=_use_data,
        expose_value=expose,
        help="Where your copies of data sets lie; ./data unless given. [env: GERMLINE_DATA]",
    )


def _use_data(context: click.Context, option: click.Parameter, folder: str | None) -> str | None:
    if folder is not None:
        os.environ[VARIABLE] = folder
    return folder


def open_store(url: str, create: bool = False) -> "Store":
    """The store at `url`, telling on stderr when it has to wait for somebody else's lock."""
    from germline.db.store import Store

    return Store(url, create=create, on_wait=lambda message: click.echo(printable(message), err=True))


def check_free(path: Path) -> None:
    """Raises UserError where a file would be replaced."""
    try:
        taken = path.is_file()
    except OSError:  # a path that cannot even be looked at: writing will say why
        return
    if taken:
        raise UserError(printable(f"{path} exists already; name another file, or add --force to replace it"))


def check_svg(path: Path) -> None:
    """Raises UserError where a picture would get a name that says it is another kind of one."""
    if path.suffix.lower() not in ("", ".svg"):
        raise UserError(printable(f"expected a name that ends in .svg, since the picture is one, got {path}"))


def print_json(data: Any) -> None:
    """Standard JSON: numbers that are not finite become strings, and characters outside ASCII are escaped."""
    click.echo(json.dumps(_finite(data), indent=2, allow_nan=False))


@contextmanager
def stdout_apart() -> Iterator[None]:
    """Sends to stderr what tasks print meanwhile, by whatever way, so that stdout holds the result alone."""
    stdout = sys.stdout
    if sys.__stdout__ is None or sys.__stderr__ is None:  # closed: another file may have its number by now
        with redirect_stdout(sys.stderr):
            yield
        return
    stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)


def console(stderr: bool = False) -> "Console":
    """A rich console that writes plain text when its stream is not a terminal."""
    from rich.console import Console

    terminal = _terminal(stderr)
    # Said outright, because rich would take FORCE_COLOR for a terminal; wide, so that a pipe gets whole lines.
    return Console(
        stderr=stderr, highlight=False, force_terminal=terminal, soft_wrap=not terminal, width=None if terminal else 200
    )


def _terminal(stderr: bool) -> bool:
    return (sys.stderr if stderr else sys.stdout).isatty()


def _finite(data: Any) -> Any:
    if isinstance(data, float) and not (-float("inf") < data < float("inf")):
        return str(data)
    if isinstance(data, Mapping):
        return {str(key): _finite(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [_finite(value) for value in data]
    return data


def size_options(command: F) -> F:
    """`--channels`, `--cells`, `--classes`, `--image`: the network of an architecture. They come as one dict, `asked`,
    that holds those which were given."""

    @wraps(command)
    def gathered(*args: Any, **options: Any) -> Any:
        given = {name: options.pop(name) for name in ("channels", "cells", "classes", "image")}
        return command(*args, asked={name: value for name, value in given.items() if value is not None}, **options)

    of = "of an architecture's network"
    whole = click.IntRange(1, 100_000)
    for option in (
        click.option("--image", callback=_image, metavar="C,H,W", help=f"Image {of}: channels, height, width."),
        click.option("--classes", type=whole, help=f"Classes {of}."),
        click.option("--cells", type=whole, help=f"Cells {of}; its run's, or those of its paper."),
        click.option("--channels", type=whole, help=f"First channels {of}; its run's, or those of its paper."),
    ):
        gathered = option(gathered)
    return cast(F, gathered)


def _image(context: click.Context, option: click.Parameter, text: str | None) -> tuple[int, ...] | None:
    if text is None:
        return None
    parts = text.split(",")
    if len(parts) != 3 or not all(part.strip().isdecimal() and 0 < int(part) < 100_000 for part in parts):
        raise click.BadParameter(f"expected channels,height,width such as 3,32,32, got {text!r:.60}")
    return tuple(map(int, parts))
