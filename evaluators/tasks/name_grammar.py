"""The grammar of names of tasks. Nothing else takes them apart.

    names    = name ("+" name)*         several tasks, the form in which a run records them
    name     = task ["@" variant]       a variant of a training task: digits-mlp@rescaled,batch=8
    task     = built-in                 digits-mlp
             | installed                an entry point of an installed package
             | family ":" parameter     gym:CartPole-v1, gym:MODULE:ID, atari:frostbite
             | file ".py:" class        path/to/file.py:Class

A path may hold every one of these signs. The functions here know no tables of tasks: which of a text's forms are of
tasks that exist, `registry` beside this file says.
"""

from collections.abc import Sequence
from pathlib import Path

from germline.evaluators.data.directory import exists
from germline.evaluators.errors import InvalidTask

SEPARATOR = "+"
_FILE = ".py:"


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
        unfinished = name if "/" in name and not is_in_file(name) else ""
        if not unfinished:
            names.append(name)
    return (*names, unfinished) if unfinished else tuple(names)


def joined(names: Sequence[str]) -> str:
    """The text from which `names_of` reads these names."""
    return SEPARATOR.join(names)


def split_variant(name: str) -> tuple[str, str | None]:
    """Returns the name of the task and the text of the variant in the name of a task that is of no family; None: it
    names no variant.

    A path may have an @, but the variant of a task in a file stands behind its class.
    """
    before, colon, last = name.rpartition(":")
    base, at, variant = last.partition("@")
    return (before + colon + base, variant) if at and (colon or "/" not in last) else (name, None)


def split_family(name: str) -> tuple[str, str]:
    """Returns what stands before and behind the first colon of a name: if it is of a family, the family and the
    parameter. The parameter is empty without a colon."""
    prefix, _, parameter = name.partition(":")
    return prefix, parameter


def is_in_file(name: str) -> bool:
    """Returns True if a name is that of a class in a file, which may be left out, as in `path/to/file.py`."""
    return name.endswith(".py") or _FILE in name


def file_and_class(name: str, noun: str = "task") -> tuple[Path, str]:
    """Returns the path and the class of `path/to/file.py:Class`, this with its variant if it has one.

    Args:
        name: of a task, or of anything else in a file that is named alike, such as an optimizer of torch.
        noun: says in messages what it is.

    Raises:
        InvalidTask: the file does not exist, or no class is given.
    """
    file, class_name = _split_file(name)
    if not class_name:
        raise InvalidTask(f"{noun} {name!r} names a file but no class; write {file}:Class")
    path = Path(file)
    if not exists(path, Path.is_file):
        raise InvalidTask(f"{noun} {name!r}: there is no file {file}; check the path (working directory: {Path.cwd()})")
    return path, class_name


def absolute_name(name: str) -> str:
    """Returns the name of the same task, or tasks, in any working directory: the path of a file is made absolute.

    Raises:
        InvalidTask: the file does not exist, or no class is given.
    """
    if len(names := names_of(name)) > 1:
        return joined([absolute_name(each) for each in names])
    if not is_in_file(name):
        return name
    path, class_name = file_and_class(name)
    return f"{path.resolve()}:{class_name}"


def _is_path(text: str) -> bool:
    """True if a text is the name of one task in a file that exists, with a class or without."""
    file, class_name = _split_file(text)
    return is_in_file(text) and SEPARATOR not in class_name and exists(Path(file), Path.is_file)


def _split_file(name: str) -> tuple[str, str]:
    """The path and the class of a name; the class is empty if there is none."""
    file, _, class_name = name.rpartition(":") if _FILE in name else (name, "", "")
    return file, class_name
