"""The page that every picture is drawn on: size, fonts and colours, and the bytes of its file.

A page is as wide as a column of a paper, or a little wider. The same picture has the same bytes: no date, no version
and no random name is in the file, and no setting of the user's (`matplotlibrc`) changes it. Texts may come from
anywhere: none is read as mathematics or TeX, and characters that are not printable are replaced.
"""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import BytesIO
from textwrap import wrap
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, MaxNLocator

from germline.programs.drawing import COLOURS, FAINT, INK, printable_text

WIDTH = 4.0
"""Inches. Scaled to a column of 3.4 inches, its smallest letters are 5.5 points high."""
DOTS_PER_INCH = 300
LINE_HEIGHT = 0.15
"""Inches that a row of a legend or a note adds to the height of a page."""
LONGEST_LINE, MOST_LINES = 84, 3
"""Letters of a line of notes, and lines of a title."""
MANY_POINTS = 3_000
"""From this number of points on they are an image inside of the picture, which keeps SVG and PDF small."""
SMALLEST_WITH_UNITS = 1e4
"""An axis that reaches to this or beyond has units, as in 500k."""

Style = dict[str, Any]
"""How something is drawn: arguments of matplotlib."""

_STYLE: Any = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans", "Verdana", "Arial"],  # the first comes with matplotlib
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.titlelocation": "left",
    "axes.labelsize": 8,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 7,
    "legend.frameon": False,
    "legend.borderpad": 0.2,
    "legend.handlelength": 1.8,
    "figure.titlesize": 9,
    "figure.titleweight": "bold",
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": FAINT,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e8e8e8",
    "grid.linewidth": 0.5,
    "lines.linewidth": 1.2,
    "axes.formatter.useoffset": False,
    "text.parse_math": False,
    "text.usetex": False,
    "svg.fonttype": "none",  # texts stay texts, which can be searched and edited
    "svg.hashsalt": "germline",
    "pdf.fonttype": 42,  # many journals refuse fonts of type 3
}
_METADATA: dict[str, dict[str, None]] = {
    "svg": {"Date": None, "Creator": None, "Format": None, "Type": None},
    "png": {"Software": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}
"""What matplotlib would write into a file besides the picture."""


@dataclass(frozen=True)
class Picture:
    """A picture that is not drawn yet: the function that draws it, and the size of its page in inches."""

    draw: Callable[[Figure], None]
    height: float
    width: float = WIDTH
    constrained: bool = True
    """Whether matplotlib lays out what is drawn; False for drawings with positions of their own."""


def picture_bytes(picture: Picture, file_format: str) -> bytes:
    """Draws a picture and returns its file, in one of `FORMATS`."""
    with matplotlib.rc_context(), warnings.catch_warnings():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_STYLE)
        warnings.simplefilter("ignore")  # such as of letters that the font lacks
        size = (picture.width, picture.height)
        figure = Figure(size, layout="constrained" if picture.constrained else None)
        picture.draw(figure)
        file = BytesIO()
        figure.savefig(file, format=file_format, dpi=DOTS_PER_INCH, metadata=_METADATA[file_format])
    content = file.getvalue()
    # Without a document type, which names a file in the network.
    return content[content.index(b"<svg") :] if file_format == "svg" else content


def label(words: str, longest: int = 60) -> str:
    """Returns a text as a picture may show it: on one line, printable, and cut if it is long."""
    shown = printable_text(words)
    return shown if len(shown) <= longest else f"{shown[: longest - 1]}…"


def write_title(figure: Figure, words: str) -> None:
    """Writes the title above everything, on a few lines if it is long."""
    lines = wrap(label(words, 150), 62)[:MOST_LINES]
    figure.suptitle("\n".join(lines), x=0.01, ha="left")


def write_notes(figure: Figure, notes: Sequence[str]) -> None:
    """Writes notes below everything."""
    lines = note_lines(notes)
    if lines:
        figure.supxlabel("\n".join(lines), x=0.01, ha="left", fontsize=6.5, color="#666666")


def note_lines(notes: Sequence[str]) -> list[str]:
    """Returns the lines of notes on a page."""
    return [line for note in notes for line in wrap(label(note, 400), LONGEST_LINE)]


def write_legend(axes: Axes, columns: int, handles: Sequence[Any] | None = None) -> None:
    """Writes the legend between the title and the axes, so that it covers no data."""
    options: Style = {} if handles is None else {"handles": handles}
    axes.legend(
        loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=columns, borderaxespad=0.1, columnspacing=1.4, **options
    )


def count_axis(axis: Axis, largest: float) -> None:
    """Marks an axis of counts at whole numbers, with units such as k or M where they are large."""
    axis.set_major_locator(MaxNLocator(nbins=6, integer=True, steps=[1, 2, 5, 10]))
    if largest >= SMALLEST_WITH_UNITS:
        axis.set_major_formatter(EngFormatter(sep=""))


def line_style(i: int) -> Style:
    """Returns the colour of line `i`, and its dashes, which tell lines of the same colour apart."""
    dashes = ("-", "--", ":", "-.")
    return {"color": COLOURS[i % len(COLOURS)], "linestyle": dashes[i // len(COLOURS) % len(dashes)]}
