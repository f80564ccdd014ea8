"""Names of several tasks in one text, `digits-mlp+text-transformer`: the form in which a run records its tasks."""

from collections.abc import Sequence
from pathlib import Path

from germline.evaluators.data.directory import exists
from germline.evaluators.tasks import task_files

SEPARATOR = "+"


def names_of(text: str) -> tuple[str, ...]:
    """The names of the tasks in a text; a single name is its own and only one.

    The path of a file may hold the separator: a piece that begins a path goes on until its class. A relative path with
    the separator is one name if there is such a file.
    """
    if SEPARATOR not in text or _is_path(text):
        return (text,)
    names: list[str] = []
    unfinished = ""
    for piece in text.split(SEPARATOR):
        name = f"{unfinished}{SEPARATOR}{piece}" if unfinished else piece
        unfinished = name if "/" in name and not task_files.is_file(name) else ""
        if not unfinished:
            names.append(name)
    return (*names, unfinished) if unfinished else tuple(names)


def joined(names: Sequence[str]) -> str:
    """The text from which `names_of` reads these names."""
    return SEPARATOR.join(names)


def _is_path(text: str) -> bool:
    """True if a text is the name of one task in a file that exists, with a class or without."""
    file, _, class_name = text.rpartition(":") if ".py:" in text else (text, "", "")
    return task_files.is_file(text) and SEPARATOR not in class_name and exists(Path(file), Path.is_file)
