"""Writing an exported file: whole or not at all."""

import os
import secrets
from collections.abc import Sequence
from pathlib import Path


class ExportUnwritable(ValueError):
    """The file cannot be written where it was asked for; the message says why and what to do."""


def check_writable(path: str | os.PathLike[str]) -> None:
    """Raises ExportUnwritable for a path that cannot take a file."""
    target = Path(path)
    try:
        _check_writable(target)
    except OSError as error:
        raise _unwritable(target, error) from None


def write_whole(path: str | os.PathLike[str], content: str | bytes) -> None:
    """Writes a file beside its place, syncs it, and renames it. One that was there is replaced.

    Raises:
        ExportUnwritable: the folder is missing, or nothing can be written there.
    """
    write_together([(path, content)])


def write_together(files: Sequence[tuple[str | os.PathLike[str], str | bytes]]) -> None:
    """Writes files that belong together: none is renamed to its place before all are written, then each in order.

    Raises:
        ExportUnwritable: a folder is missing, or something cannot be written there.
    """
    for path, _ in files:
        check_writable(path)
    waiting: list[tuple[Path, Path]] = []
    target = Path()
    try:
        for path, content in files:
            target = Path(path)
            waiting.append((beside(target), target))
            with waiting[-1][0].open("xb") as file:
                file.write(content.encode("utf-8") if isinstance(content, str) else content)
                file.flush()
                os.fsync(file.fileno())
        for written, target in waiting:
            written.replace(target)
    except OSError as error:
        raise _unwritable(target, error) from None
    finally:
        for written, _ in waiting:
            written.unlink(missing_ok=True)
    for folder in dict.fromkeys(target.parent for _, target in waiting):
        _sync_folder(folder)


def beside(target: Path) -> Path:
    """A hidden name in the same folder that nothing else has; it ends as the file does."""
    return target.with_name(f".{target.name[:100]}.{secrets.token_hex(4)}.tmp{target.suffix[:20]}")


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
