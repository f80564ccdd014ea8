"""Where the user's own copies of published data sets lie, and what is said when one is not there."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

VARIABLE = "GERMLINE_DATA"
DEFAULT = "data"


class MissingData(ValueError):
    """A data set is not in the data directory."""

    def __init__(self, title: str, folder: Path, expected: str, advice: str) -> None:
        super().__init__(
            f"no {title} in {folder}: expected {expected}; {advice}. Another directory: --data DIR or {VARIABLE}"
        )


def directory() -> Path:
    """The data directory as an absolute path, whether it exists or not: GERMLINE_DATA, or `data` in the working one."""
    return Path(os.environ.get(VARIABLE) or DEFAULT).absolute()


def find(folder: Path, names: Sequence[str]) -> Path | None:
    """The first of some names under which a folder has a file; None if there is none."""
    return next((folder / name for name in names if lies(folder / name, Path.is_file)), None)


def lies(path: Path, as_what: Callable[[Path], bool] = Path.exists) -> bool:
    """Whether there is something, such as a file. In a folder that may not be looked into there is nothing for us."""
    try:
        return as_what(path)
    except OSError:
        return False
