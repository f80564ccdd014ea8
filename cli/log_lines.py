"""Records of logs on stderr: our own, those of libraries, and Python's warnings. Each is one printable line."""

import logging
import sys

from germline.cli.printing import on_a_line
from germline.evaluators.errors import message_of, shown

MOST = 1_000
"""The most characters of a record; a longer record is cut."""


class LineFormatter(logging.Formatter):
    """Formats a record as `LEVEL: message` on one line. If its arguments do not fit its message, or cannot be printed,
    the line says so."""

    def format(self, record: logging.LogRecord) -> str:
        try:
            text = record.getMessage()
        except Exception as error:  # from the `__str__` of an argument, or of the arguments' number
            text = f"{shown(record.msg, 200)} (arguments that cannot be printed: {type(error).__name__})"
        cause = record.exc_info[1] if record.exc_info else None
        if cause is not None:
            text = f"{text} ({type(cause).__name__}: {message_of(cause)[:MOST]})"
        return on_a_line(f"{record.levelname}: {' '.join(text[: 20 * MOST].split())}", MOST)


def log_to_stderr() -> None:
    """Writes warnings and errors of all loggers, information of our own and Python's warnings to stderr."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(LineFormatter())
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    logging.getLogger("germline").setLevel(logging.INFO)
    logging.captureWarnings(True)
