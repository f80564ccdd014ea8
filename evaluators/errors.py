"""Errors of tasks, and the text of an error in one line."""


class UnknownTask(ValueError):
    """No task has this name."""


class InvalidTask(ValueError):
    """The name leads to a class, file or package that cannot be used as a task."""


class UnconfirmedTask(ValueError):
    """A run has a task whose code is imported only if the user names the task too."""


def in_a_line(error: BaseException) -> str:
    """Returns the class of an error and the first line of its message."""
    text = (str(error).splitlines() or [""])[0]
    return f"{type(error).__name__}: {text:.300}"
