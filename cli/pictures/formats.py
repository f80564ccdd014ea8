"""The formats of pictures, and what a command checks of a picture's file before it works for it.

matplotlib takes half a second to import, so only `page.py` and what draws on it import it, and only to draw.
"""

from importlib.util import find_spec
from pathlib import Path

from germline.cli.errors import UserError
from germline.cli.output import check_free
from germline.programs.export.files import check_writable

FORMATS = ("svg", "png", "pdf")
"""The formats of pictures. A file without an extension is SVG."""


def picture_format(path: Path) -> str:
    """Returns the format of a picture by the extension of its file.

    Raises:
        UserError: pictures have no such format.
    """
    ending = path.suffix.lower().removeprefix(".") or FORMATS[0]
    if ending not in FORMATS:
        raise UserError(f"expected a name that ends in .svg, .png or .pdf, got {path}")
    return ending


def check_picture(path: Path, force: bool) -> None:
    """Checks that a picture can be drawn and written.

    Raises:
        UserError: its name has another ending, there is such a file and `force` is False, or matplotlib is missing.
        ExportUnwritable: nothing can be written there.
    """
    picture_format(path)
    if not force:
        check_free(path)
    check_writable(path)
    require_matplotlib()


def require_matplotlib() -> None:
    """Raises UserError, without importing it, if matplotlib is not installed."""
    if find_spec("matplotlib") is None:
        raise UserError("expected the package matplotlib, which draws pictures, got none; pip install matplotlib")
