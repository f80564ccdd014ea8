"""What goes wrong with tasks, and errors in one line."""


class UnknownTask(ValueError):
    """No task has this name."""


class InvalidTask(ValueError):
    """The name leads to something that cannot be used as a task."""


def in_a_line(error: BaseException) -> str:
    """The kind of an error and the first line of what it says."""
    text = (str(error).splitlines() or [""])[0]
    return f"{type(error).__name__}: {text:.300}"
