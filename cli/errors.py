"""How a user's mistake is told: one line on stderr and an exit status, never a traceback."""

from typing import IO, Any

import click

_FAILURES = frozenset(
    ("SearchFailed", "NoCluster", "NoWorker", "ExportMismatch", "DiskFull", "DatabaseLocked", "DamagedDatabase")
)
"""Errors of ours that are not a mistake in what was given."""


class UserError(click.ClickException):
    """An error of one line, with the exit status that goes with it."""

    def __init__(self, message: str, exit_code: int = 2) -> None:
        super().__init__(message)
        self.__dict__["exit_code"] = exit_code  # click declares it for the class, but reads it from the instance

    def show(self, file: IO[Any] | None = None) -> None:
        click.echo(f"Error: {self.format_message()}", file=file, err=file is None)


def is_ours(error: Exception) -> bool:
    """Whether an exception is one that Germline raises on purpose: its class is defined in one of our modules."""
    return type(error).__module__.startswith("germline.") and not isinstance(error, click.ClickException)


def exit_status(error: Exception) -> int:
    return 1 if type(error).__name__ in _FAILURES else 2


def one_line(error: Exception) -> str:
    """The message without line breaks or control characters, which may come from a file or a database."""
    return printable(" ".join(str(error).split()))


def printable(text: str) -> str:
    """`text` with control characters replaced, so that nothing read from a file can drive the terminal."""
    return "".join(char if char.isprintable() or char in "\n\t" else "\ufffd" for char in text)
