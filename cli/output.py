"""Output of commands: JSON, text on a console, and checks of a file's name before writing."""

import errno
import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

import click
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from germline.cli.csv_text import csv_text
from germline.cli.errors import UserError
from germline.cli.printing import printable
from germline.evaluators.data.directory import exists
from germline.programs.export.files import check_writable


def check_free(path: Path) -> None:
    """Raises UserError if there is a file at `path`."""
    if exists(path, Path.is_file):  # for a path that cannot be looked up, the error of writing will be clearer
        raise UserError(f"{path} exists already; name another file, or add --force to replace it")


def check_output(path: Path, ending: str, force: bool) -> None:
    """Raises UserError if a file that is to be written has another ending, or is there and is not to be replaced;
    ExportUnwritable if nothing can be written there."""
    if path.suffix.lower() != ending:
        raise UserError(f"expected a name that ends in {ending}, got {path}")
    if not force:
        check_free(path)
    check_writable(path)


AS_CSV = "germline.as_csv"
"""The key in a context's `meta` that is true if the command was called with --csv."""


def print_json(data: Any) -> None:
    """Prints standard JSON: numbers that are not finite become strings, characters outside ASCII are escaped. With
    --csv it prints the same data as a table."""
    context = click.get_current_context(silent=True)
    if context is not None and context.meta.get(AS_CSV):
        click.echo(csv_text(_finite(data)), nl=False)
    else:
        click.echo(json.dumps(_finite(data), indent=2, allow_nan=False))


@contextmanager
def stdout_apart() -> Iterator[None]:
    """Redirects stdout to stderr, also of native code and child processes, so that stdout holds the result alone."""
    stdout = sys.stdout
    if sys.__stdout__ is None or sys.__stderr__ is None:  # closed: its descriptor may belong to another file by now
        with redirect_stdout(sys.stderr):
            yield
        return
    stdout.flush()
    original = os.dup(1)
    os.dup2(2, 1)
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        stdout.flush()
        os.dup2(original, 1)
        os.close(original)


def console(stderr: bool = False) -> Console:
    """A rich console on stdout, or on stderr, that writes plain text if that is not a terminal.

    What it prints can style nothing by itself: texts have no markup, and characters that could drive the terminal are
    replaced.
    """
    terminal = (sys.stderr if stderr else sys.stdout).isatty()
    # Explicit, because rich would take FORCE_COLOR for a terminal; wide, so that a pipe gets whole lines.
    return _InertConsole(
        stderr=stderr,
        markup=False,
        emoji=False,
        highlight=False,
        force_terminal=terminal,
        soft_wrap=not terminal,
        width=None if terminal else 200,
    )


class _InertConsole(Console):
    """A console whose texts are printable; the escapes that it writes are its own."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            is_inert = segment.control or segment.text.isprintable()
            yield segment if is_inert else Segment(printable(segment.text), segment.style)

    def on_broken_pipe(self) -> None:
        # Rich would exit by itself, which looks as if a task had; click ends a command whose reader is gone in silence.
        raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))


def _finite(data: Any) -> Any:
    """`data` with infinities and NaN as strings."""
    if isinstance(data, float) and not (-float("inf") < data < float("inf")):
        return str(data)
    if isinstance(data, Mapping):
        return {str(key): _finite(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [_finite(value) for value in data]
    return data
