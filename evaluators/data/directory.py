"""The directory with the user's copies of published data sets, and the error for a missing data set."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

VARIABLE = "GERMLINE_DATA"
"""Environment variable with the path of the data directory."""
DEFAULT = "data"
"""The data directory where the variable is not set, relative to the working directory."""


class MissingData(ValueError):
    """A data set is not in the data directory."""

    def __init__(self, title: str, folder: Path, expected: str, advice: str) -> None:
        super().__init__(
            f"no {title} in {folder}: expected {expected}; {advice}. Another directory: --data DIR or {VARIABLE}"
        )


def directory() -> Path:
    """Returns the absolute path of the data directory, which need not exist."""
    return Path(os.environ.get(VARIABLE) or DEFAULT).absolute()


def find(folder: Path, names: Sequence[str]) -> Path | None:
    """Returns the path of the file in a folder with the first of these names that exists; None if none exists."""
    return next((folder / name for name in names if exists(folder / name, Path.is_file)), None)


def exists(path: Path, check: Callable[[Path], bool] = Path.exists) -> bool:
    """Returns `check(path)`, or False for a path that cannot be looked up, such as a name of more than 255 bytes or a
    folder that may not be read."""
    try:
        return check(path)
    except OSError:
        return False
