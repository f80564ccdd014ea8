"""From a program to a verified file."""

import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from germline.programs.optimizer.export.origin import Origin
from germline.programs.optimizer.export.source import export_torch
from germline.programs.optimizer.export.verify import ExportMismatch, verify_torch
from germline.programs.optimizer.program import Program


class ExportUnwritable(ValueError):
    """The file cannot be written where it was asked for; the message says why and what to do."""


@dataclass(frozen=True)
class Verified:
    """A source text that has been run against the interpreter, and the largest relative difference found."""

    source: str
    difference: float


def verified_torch(program: Program, origin: Origin, class_name: str) -> Verified:
    """The readable form of a program if it equals the interpreter, and its exact form otherwise.

    Raises:
        ExportMismatch: not even the exact form does.
    """
    source = export_torch(program, origin, class_name)
    try:
        return Verified(source, verify_torch(source, program, class_name))
    except ExportMismatch:
        exact = export_torch(program, origin, class_name, exact=True)
        return Verified(exact, verify_torch(exact, program, class_name))


def write_verified(path: str | os.PathLike[str], source: str, program: Program, class_name: str) -> float:
    """Verifies a source and writes it; returns the largest relative difference found.

    The file appears whole or not at all: it is written beside its place, synced, and renamed. One that was there is
    replaced.

    Raises:
        ExportMismatch: the source differs from the program. Nothing is written.
        ExportUnwritable: the folder is missing, or nothing can be written there.
    """
    target = Path(path)
    try:
        _check_writable(target)
    except OSError as error:
        raise _unwritable(target, error) from None
    difference = verify_torch(source, program, class_name)
    beside = target.with_name(f".{target.name[:100]}.{secrets.token_hex(4)}.tmp")
    try:
        with beside.open("x", encoding="utf-8", newline="\n") as file:
            file.write(source)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(target)
    except OSError as error:
        raise _unwritable(target, error) from None
    finally:
        beside.unlink(missing_ok=True)
    _sync_folder(target.parent)
    return difference


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
    cause = error.strerror or type(error).__name__
    return ExportUnwritable(f"expected a path that can be written, got {str(target)!r} ({cause}); choose another path")


def _sync_folder(folder: Path) -> None:
    """Makes a rename durable; where folders cannot be opened (Windows), there is nothing to do."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
