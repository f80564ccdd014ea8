"""The tracebacks of errors as text that a terminal can get."""

import os
import traceback

from germline.cli.printing import on_a_line

VARIABLE = "GERMLINE_TRACEBACK"
"""Environment variable: if it is set and not empty, the tracebacks of errors go to stderr."""

MOST = 1_000_000
"""The most characters of a traceback that is kept."""


def wanted() -> bool:
    """Whether tracebacks are to be printed."""
    return bool(os.environ.get(VARIABLE))


def text_of(error: BaseException) -> str:
    """The traceback of an error with those of its causes, without what drives a terminal."""
    lines = "".join(traceback.format_exception(error)).splitlines()
    return "\n".join(map(on_a_line, lines))[-MOST:]
