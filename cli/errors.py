"""Errors of the command line: one line on stderr and an exit status, never a traceback for a user's mistake."""

from contextlib import suppress
from typing import IO, Any

import click

from germline.cli.printing import LONGEST, on_a_line
from germline.evaluators.errors import message_of

_FAILURES = frozenset(
    (
        *("ClusterLost", "DeviceLost", "NoCluster", "NoWorker", "SearchFailed"),
        *(
            "AlteredSchema",
            "DamagedDatabase",
            "DatabaseError",
            "DatabaseLocked",
            "DiskFull",
            "GenomesTooLong",
            "NoRoom",
        ),
        "ExportMismatch",
    )
)
"""Class names of errors that are failures of the work itself, not mistakes in the input. Names, because importing the
classes would take too long for `germline --help`."""


class UserError(click.ClickException):
    """An error of one line with its exit status."""

    def __init__(self, message: str, exit_code: int = 2) -> None:
        super().__init__(message)
        self.__dict__["exit_code"] = exit_code  # click declares it for the class, but reads it from the instance

    def show(self, file: IO[Any] | None = None) -> None:
        with suppress(OSError):  # if stderr cannot be written, the exit status still says what happened
            click.echo(f"Error: {on_a_line(self.format_message())}", file=file, err=file is None)


class BadReference(ValueError):
    """A reference names no genome, or a genome that the command cannot use."""


def is_ours(error: Exception) -> bool:
    """Whether an exception is an error of Germline, whose class is defined in its modules, and not a bug."""
    return type(error).__module__.startswith("germline.") and not isinstance(error, click.ClickException)


def exit_status(error: Exception) -> int:
    """1 if the work itself failed, 2 for a mistake in the input."""
    return 1 if type(error).__name__ in _FAILURES else 2


def single_line(error: BaseException) -> str:
    """The message of an error as one printable line, which is cut if it is long; it may come from anywhere."""
    return on_a_line(" ".join(message_of(error)[: 20 * LONGEST].split()))
