"""Paths of SQLite files: what is there, and whether SQLite can have a file there."""

import errno
import os
import shutil
import stat
from pathlib import Path
from typing import Final

from germline.db.errors import BadPath, DiskFull, ReadOnlyDatabase

_LONGEST_SUFFIX: Final = "-journal"
"""The longest of the suffixes that SQLite appends to the name of the file for files beside it."""
_LONGEST_PATH: Final = 511 - len(_LONGEST_SUFFIX)
"""Bytes of the longest path that SQLite opens together with the files beside it."""


def is_file(path: Path) -> bool:
    """True if there is a file at ``path``, False if there is nothing.

    Raises:
        BadPath: there is something else, or SQLite cannot have a file there.
    """
    name_length, path_length = len(os.fsencode(path.name)), len(os.fsencode(path))
    longest = _longest_name(path.parent) - len(_LONGEST_SUFFIX)
    if name_length > longest:
        raise BadPath(
            f"expected a file name of at most {longest} bytes, got {name_length} in {path}: name another file"
        )
    if path_length > _LONGEST_PATH:
        raise BadPath(
            f"expected a path of at most {_LONGEST_PATH} bytes, got {path_length} in {path}: name another file"
        )
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise BadPath(f"{path} cannot be read: {error.strerror}") from error
    if stat.S_ISDIR(mode):
        raise BadPath(f"{path} is a directory: name a file in it, such as {path / 'germline.db'}")
    if not stat.S_ISREG(mode):
        raise BadPath(f"{path} is a device, a pipe or a socket: name a file")
    return True


def create_file(path: Path) -> None:
    """Creates an empty file at ``path``, unless there is a file: SQLite takes it for an empty database.

    It is not removed again if the database cannot be created: another process may have begun to use it.

    Raises:
        BadPath: its folder does not exist.
        ReadOnlyDatabase: its folder is not writable.
        DiskFull: the disk has no room for a file.
    """
    if not path.parent.is_dir():
        raise BadPath(f"{path} cannot be created, there is no folder {path.parent}: run `mkdir -p '{path.parent}'`")
    # os.access is not enough: it lets root write to /proc, where no file can be created.
    try:
        path.touch()
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise disk_full(path) from None
        raise ReadOnlyDatabase(f"{path} cannot be created, its folder is not writable: name another folder") from None


def disk_full(path: Path) -> DiskFull:
    """The error for a disk without room for the file at ``path``."""
    return DiskFull(
        f"no room to write {path}, {_free_bytes(path):,} bytes are free: "
        "free some space or raise the quota or the limit of file sizes, then go on"
    )


def _longest_name(folder: Path) -> int:
    """Bytes of the longest file name in a folder."""
    try:
        return os.pathconf(folder, "PC_NAME_MAX")
    except (OSError, ValueError):
        return 255


def _free_bytes(path: Path) -> int:
    return shutil.disk_usage(path.parent).free
