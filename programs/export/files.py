"""Writing files: each appears whole or not at all."""

import errno
import os
import secrets
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from germline.programs.export.verified import VerifiedExport

WEIGHTS_SUFFIX = ".safetensors"


class ExportUnwritable(ValueError):
    """The file cannot be written to the given path; the message says why and what to do."""


class NoRoom(ExportUnwritable):
    """The disk, a quota or a limit on file sizes has no room for the file."""


def weights_path(path: Path) -> Path:
    """The path of the weights that belong to an exported class: beside its file, under the same name."""
    return path.with_suffix(WEIGHTS_SUFFIX)


def write_verified(path: Path, export: "VerifiedExport[Any]") -> None:
    """Writes an export and, before it, its weights if it has any. Files that were there are replaced.

    Raises:
        ExportUnwritable: the folder is missing, or nothing can be written there. No file has changed, except if the
            weights were renamed and the rename after it failed.
    """
    weights = [] if export.weights is None else [(weights_path(path), export.weights)]
    write_together([*weights, (path, export.content)])


def check_writable(path: str | os.PathLike[str]) -> None:
    """Raises ExportUnwritable for a path that cannot take a file."""
    target = Path(path)
    try:
        _check_writable(target)
    except OSError as error:
        raise _unwritable(target, error) from None


def write_whole(path: str | os.PathLike[str], content: str | bytes) -> None:
    """Writes a file under a hidden name beside its path, syncs it, and renames it. A file that was there is replaced.

    Raises:
        ExportUnwritable: the folder is missing, or nothing can be written there.
    """
    write_together([(path, content)])


def write_together(files: Sequence[tuple[str | os.PathLike[str], str | bytes]]) -> None:
    """Writes files that belong together: all are complete under hidden names before the first is renamed.

    Files that were there are replaced. Strings are written as UTF-8.

    Raises:
        ExportUnwritable: a folder is missing, or something cannot be written there.
    """
    for path, _ in files:
        check_writable(path)
    hidden_files: list[tuple[Path, Path]] = []
    target = Path()
    try:
        for path, content in files:
            target = Path(path)
            hidden = beside(target)
            hidden_files.append((hidden, target))
            with hidden.open("xb") as file:
                file.write(content.encode("utf-8") if isinstance(content, str) else content)
                file.flush()
                os.fsync(file.fileno())
        for hidden, target in hidden_files:
            hidden.replace(target)
    except OSError as error:
        raise _unwritable(target, error) from None
    finally:
        for hidden, _ in hidden_files:
            hidden.unlink(missing_ok=True)
    for folder in dict.fromkeys(target.parent for _, target in hidden_files):
        _sync_folder(folder)


def beside(target: Path) -> Path:
    """A new hidden path in the folder of `target`, with its suffix; the name has at most 255 bytes."""
    return target.with_name(f".{target.name[:40]}.{secrets.token_hex(4)}.tmp{target.suffix[:15]}")


def _check_writable(target: Path) -> None:
    """Raises ExportUnwritable, or OSError, for a path that cannot take a file."""
    folder = target.parent
    if not folder.is_dir():
        raise ExportUnwritable(f"expected an existing folder, got {str(folder)!r}; create it or choose another path")
    if target.exists() and not target.is_file():
        raise ExportUnwritable(f"expected the path of a file, got {str(target)!r}; add a name such as optimizer.py")
    if not os.access(folder, os.W_OK | os.X_OK) or (target.exists() and not os.access(target, os.W_OK)):
        raise ExportUnwritable(f"expected a path that can be written, got {str(target)!r}; choose another path")


def _unwritable(target: Path, error: OSError) -> ExportUnwritable:
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        free = shutil.disk_usage(target.parent).free
        return NoRoom(f"no room to write {str(target)!r}, {free:,} bytes are free ({error.strerror}); free some space")
    cause = error.strerror or type(error).__name__
    return ExportUnwritable(f"expected a path that can be written, got {str(target)!r} ({cause}); choose another path")


def _sync_folder(folder: Path) -> None:
    """Makes a rename durable. Does nothing where folders cannot be opened (Windows)."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
