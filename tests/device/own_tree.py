"""Makes the tree that this file is in importable, in the processes that this process starts.

Nothing has to be installed: `germline.<folder>` is found through links, as in `.namespace/`, and packages that the
machine lacks come from wheels that lie beside the tree.
"""

import atexit
import os
import shutil
import sys
import tempfile
import zipfile
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("cli", "db", "evaluators", "programs", "search")
WHEELS = ROOT / "wheels"
INSTEAD = "instead"
"""The folder among the wheels with those that replace what is installed."""


def use_own_tree(wheels: Path = WHEELS) -> None:
    """Puts this tree, the wheels of packages that are not installed, and all wheels in `INSTEAD`, before all other
    packages, in `sys.path` and `PYTHONPATH`."""
    own = [str(_namespace()), *(str(ROOT / "tests" / folder) for folder in ("benchmarks", "helpers"))]
    chosen = [wheel for wheel in sorted(wheels.glob("*.whl")) if not _is_installed(wheel)]
    chosen += sorted((wheels / INSTEAD).glob("*.whl"))
    if chosen:
        own.append(str(_unpacked(chosen)))
    sys.path[:0] = own
    os.environ["PYTHONPATH"] = os.pathsep.join([*own, *filter(None, [os.environ.get("PYTHONPATH")])])


def _namespace() -> Path:
    """The folder with the package `germline`; a new one if a copy of the tree has lost its links."""
    if all((ROOT / ".namespace" / "germline" / folder).is_dir() for folder in FOLDERS):
        return ROOT / ".namespace"
    package = _temporary_folder() / "germline"
    package.mkdir()
    for folder in FOLDERS:
        (package / folder).symlink_to(ROOT / folder, target_is_directory=True)
    return package.parent


def _is_installed(wheel: Path) -> bool:
    """Whether any version of a wheel's package is installed; the file's name begins with that of the package."""
    try:
        distribution(wheel.name.split("-")[0])
    except PackageNotFoundError:
        return False
    return True


def _unpacked(wheels: list[Path]) -> Path:
    """A new folder with the contents of wheels: a wheel is an archive of what is imported, so no pip is needed."""
    folder = _temporary_folder()
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(folder)
    return folder


def _temporary_folder() -> Path:
    """A new folder that is removed when this process ends."""
    folder = tempfile.mkdtemp(prefix="germline-device-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)
