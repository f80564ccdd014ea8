"""Where a user's own code finds the modules that it imports."""

import sys
from pathlib import Path


def import_from(folder: Path) -> None:
    """Lets imports find the modules of a folder before all others, as Python does for the folder of a script.

    The folder stays, because code may import when it runs.
    """
    place = str(folder.resolve())
    if sys.path[:1] != [place]:
        sys.path[:] = [place, *(each for each in sys.path if each != place)]
