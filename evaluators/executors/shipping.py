"""Brings the file of a user's own task, and the files beside it, to the other machines of a Ray cluster."""

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from germline.evaluators.data.directory import directory
from germline.evaluators.evaluator import EvaluatorSpec
from germline.evaluators.tasks.name_grammar import file_and_class, is_in_file, joined, names_of

LARGEST_FOLDER = 64 * 2**20
"""Most bytes that are sent to each machine."""
NOT_SENT = (".?*", "__pycache__", "venv", "node_modules", "*.db", "*.db-wal", "*.db-shm", "*.db-journal")
"""Patterns of the names of files and folders that are not sent."""


class TooLarge(ValueError):
    """The folder of a task is too large to be sent to other machines."""


class TwoFolders(ValueError):
    """Several tasks are in files of different folders, of which one can be sent to other machines."""


def shipped(spec: EvaluatorSpec) -> tuple[EvaluatorSpec, dict[str, Any]]:
    """Returns a spec that workers on other machines can build, and the part of Ray's runtime environment for it.

    A task `path/to/file.py:Class` is sent with its folder, which is the working directory of the workers. Not sent are
    the data directory, which each machine has for itself, and what `NOT_SENT` matches. Other tasks have to be installed
    on those machines.

    Raises:
        TooLarge: the folder has more than `LARGEST_FOLDER` bytes.
        TwoFolders: several tasks are in files of different folders.
    """
    files = {name: file_and_class(name) for name in names_of(spec.task) if is_in_file(name)}
    if not files:
        return spec, {}
    folders = {path.resolve().parent for path, _ in files.values()}
    if len(folders) > 1:
        raise TwoFolders(
            "expected the files of all tasks in one folder, which is sent to the machines of the cluster, got "
            f"{' and '.join(sorted(map(str, folders)))}; put them into one"
        )
    folder = folders.pop()
    path = next(iter(files.values()))[0]
    names = [f"{files[name][0].name}:{files[name][1]}" if name in files else name for name in names_of(spec.task)]
    excludes = [*NOT_SENT, *_data_within(folder)]
    total = 0
    for size in _sizes(folder, NOT_SENT, directory().resolve()):
        total += size
        if total > LARGEST_FOLDER:
            raise TooLarge(
                f"expected at most {LARGEST_FOLDER >> 20} MiB in the folder of {path.name}, which is sent to the "
                f"machines of the cluster, got more in {folder}; move the task to a folder of its own"
            )
    return replace(spec, task=joined(names)), {"working_dir": str(folder), "excludes": excludes}


def _data_within(folder: Path) -> list[str]:
    """The data directory as a pattern relative to a folder; empty if it lies elsewhere."""
    data = directory().resolve()
    return [f"/{data.relative_to(folder)}"] if data != folder and data.is_relative_to(folder) else []


def _sizes(folder: Path, not_sent: Sequence[str], data: Path) -> Iterator[int]:
    """The sizes of the files that are sent, one after the other, so that a huge folder need not be read to its end."""

    def is_sent(parent: str, name: str) -> bool:
        return not any(fnmatch(name, pattern) for pattern in not_sent) and Path(parent, name) != data

    for parent, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if is_sent(parent, name)]
        for name in files:
            if is_sent(parent, name):
                with suppress(FileNotFoundError):  # removed meanwhile
                    yield os.lstat(Path(parent, name)).st_size
