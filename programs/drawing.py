"""Parts of SVG pictures: text, axes, tick marks at round numbers, and the document. No font or other file is needed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import floor, log10
from xml.sax.saxutils import escape

FONT = 'font-family="Helvetica, Arial, sans-serif"'
INK, FAINT = "#222222", "#7f7f7f"
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7f7f7f", "#b59f00", "#5e3c99", "#222222")
"""Colours of lines, in the order of use: first those that colour-blind readers can distinguish (Okabe and Ito 2008)."""

LONGEST_TEXT = 500
"""The most characters of a text in a picture."""

LARGEST_DRAWN = 1e300
"""Values beyond this are left out of pictures, because all other values would fall on one line beside them."""


@dataclass(frozen=True)
class Axis:
    """A range of numbers along a range of pixels.

    Attributes:
        low, high: the numbers at the ends.
        begin, length: the first pixel, and the number of pixels.
        turned: True if the largest number is at the first pixel, as on the vertical axis of a screen.
    """

    low: float
    high: float
    begin: float
    length: float
    turned: bool = False

    def at(self, value: float) -> float:
        """The pixel of a number."""
        share = (value - self.low) / (self.high - self.low)
        return self.begin + self.length * (1 - share if self.turned else share)


def span(values: Sequence[float]) -> tuple[float, float]:
    """Smallest and largest of the values, with a margin of 4 % of their range on both sides."""
    low, high = min(values, default=0.0), max(values, default=1.0)
    margin = 0.04 * (high - low) or 0.5 * abs(high) or 0.5
    return low - margin, high + margin


def ticks(low: float, high: float, most: int = 6) -> list[float]:
    """At most `most + 1` round numbers from `low` to a larger `high`, in steps of 1, 2 or 5 times a power of ten."""
    rough = (high - low) / most
    power: float = 10.0 ** floor(log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough)
    first = -floor(-low / step)
    return [step * (first + i) for i in range(floor(high / step) - first + 1)]


def character_data(words: str) -> str:
    """A text as the content of an SVG element, cut if it is long.

    It may come from anywhere: markup is escaped, and � stands for control characters, which XML cannot hold, and for
    marks that turn the direction of reading.
    """
    short = words if len(words) <= LONGEST_TEXT else f"{words[: LONGEST_TEXT - 1]}…"
    return escape("".join(char if char.isprintable() else "\ufffd" for char in short.replace("\n", " ")))


Marks = Mapping[float, str]
"""Tick marks of an axis: numbers and their labels."""


def frame(across: Axis, up: Axis, x: str, y: str, marks: tuple[Marks, Marks]) -> list[str]:
    """The SVG elements of a plot area with tick marks below and at its left.

    Args:
        across, up: the horizontal and the vertical axis.
        x, y: their titles.
        marks: their tick marks.
    """
    bottom = up.begin + up.length
    parts = [
        f'<rect x="{across.begin:g}" y="{up.begin:g}" width="{across.length:.6g}" height="{up.length:.6g}" '
        f'fill="#fafafa" stroke="{FAINT}"/>'
    ]
    for value, label in marks[0].items():
        place = across.at(value)
        parts.append(f'<path d="M{place:.2f} {bottom:.2f}v5" stroke="{FAINT}"/>')
        parts.append(text(place, bottom + 18, label, 11, anchor="middle"))
    for value, label in marks[1].items():
        place = up.at(value)
        parts.append(f'<path d="M{across.begin:g} {place:.2f}h-5" stroke="{FAINT}"/>')
        parts.append(text(across.begin - 9, place + 4, label, 11, anchor="end"))
    parts.append(text(across.begin + across.length / 2, bottom + 40, x, 13, anchor="middle"))
    middle = up.begin + up.length / 2
    turned = f' transform="rotate(-90 22 {middle:.2f})"'
    parts.append(text(22, middle, y, 13, anchor="middle", more=turned))
    return parts


def text(
    x: float, y: float, words: str, size: int, fill: str = INK, anchor: str = "start", weight: str = "", more: str = ""
) -> str:
    """An SVG element of text.

    Args:
        x, y: pixels of its anchor.
        words: the text, see `character_data`.
        size: of the font, in pixels.
        fill: its colour.
        anchor: `start`, `middle` or `end`.
        weight: of the font, such as `bold`.
        more: further attributes, as source text.
    """
    bold = f' font-weight="{weight}"' if weight else ""
    place = f'x="{x:.2f}" y="{y:.2f}" text-anchor="{anchor}"'
    return f'<text {place} {FONT} font-size="{size}"{bold} fill="{fill}"{more}>{character_data(words)}</text>'


def picture(width: float, height: float, parts: Sequence[str]) -> str:
    """An SVG document of these elements on a white background."""
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}" height="{height:g}" '
            f'viewBox="0 0 {width:g} {height:g}">',
            f'<rect width="{width:g}" height="{height:g}" fill="white"/>',
            *parts,
            "</svg>\n",
        )
    )
