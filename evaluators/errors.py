"""Errors of tasks, and texts from foreign code on one line.

A task is code of its author: the message of its error, or the `repr` of its value, may be megabytes, may hold escapes
that drive a terminal, and may itself raise. Everything that quotes such a text quotes it through this file.
"""

import signal
import sys
from pathlib import Path
from traceback import walk_tb

MOST_CHARACTERS = 300
"""Length to which the text of a foreign error is cut."""

_LOOKED_AT = 20
"""`one_line` looks for the first line of a text within its first `_LOOKED_AT * most` characters."""


class UnknownTask(ValueError):
    """No task has this name."""


class InvalidTask(ValueError):
    """A class, file or package cannot be used as a task, or the code of the task fails."""


class UnconfirmedTask(ValueError):
    """A run has a task whose code is imported only if the user names the task too."""


def of_foreign_code() -> tuple[type[BaseException], ...]:
    """The classes of exceptions that code of a task or a user's class may raise, to be named in an `except` clause.

    SystemExit is among them. KeyboardInterrupt is so only where this process handles SIGINT in its own way, as the
    command line does: its handlers raise another exception, or nothing.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        return (Exception, SystemExit)
    return (Exception, SystemExit, KeyboardInterrupt)


def in_a_line(error: BaseException) -> str:
    """The class of an error and the first line of its message, as by `one_line`. Never raises."""
    text = one_line(message_of(error))
    return f"{_class_name(error)}: {text}" if text else _class_name(error)


def place_of(error: BaseException) -> str:
    """Where foreign code failed, such as ` (my_model.py:19, in forward)`: the innermost call of an error outside of
    Python's own modules, torch, numpy and this package; empty if there is none."""
    ours = {"germline", "torch", "numpy", *sys.stdlib_module_names}
    place = ""
    for frame, line in walk_tb(error.__traceback__):
        code, module = frame.f_code, str(frame.f_globals.get("__name__"))
        if module.partition(".")[0] not in ours and not code.co_filename.startswith("<"):
            place = f" ({one_line(Path(code.co_filename).name, 60)}:{line}, in {one_line(code.co_name, 60)})"
    return place


def message_of(error: BaseException) -> str:
    """`str(error)` as it is, of any length; a substitute if `str` raises."""
    try:
        return str.__str__(str(error))  # `str` of an object may be of a subclass with methods of its own
    except BaseException:  # whatever a `__str__` raises, SystemExit too, is no reason to end
        return "(its message cannot be read)"


def shown(value: object, most: int = 60) -> str:
    """The `repr` of a foreign value on one line of at most `most` characters; its class if it has no `repr`."""
    try:
        text = str.__str__(repr(value))
    except BaseException:
        text = f"<{_class_name(value)} that cannot be shown>"
    return one_line(text, most)


def one_line(text: str, most: int = MOST_CHARACTERS) -> str:
    """The first line of a text that is not blank, cut to `most` characters, with � for what no terminal should get.

    Control characters, escapes, direction marks and lone surrogates are replaced, tabs become spaces.
    """
    head = text[: _LOOKED_AT * most]
    line = next((line for line in head.splitlines() if line.strip()), "").strip().replace("\t", " ")
    if len(line) > most:
        line = f"{line[: most - 1]}…"
    return "".join(character if character.isprintable() else "\ufffd" for character in line)


def _class_name(value: object) -> str:
    """The name of a value's class, whatever its metaclass makes of `__name__`."""
    name: str = type.__dict__["__name__"].__get__(type(value))
    return one_line(name, 80)
