"""What pictures share: text, round numbers, and a field with two axes. They need no font or file but their own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import floor, log10
from xml.sax.saxutils import escape

FONT = 'font-family="Helvetica, Arial, sans-serif"'
INK, FAINT = "#222222", "#7f7f7f"
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7f7f7f", "#b59f00", "#5e3c99", "#222222")
"""Those that colour-blind readers can tell from each other come first (Okabe and Ito 2008)."""


@dataclass(frozen=True)
class Axis:
    """A range of numbers on a length of pixels; `turned`: the largest number comes first, as on a screen's y."""

    low: float
    high: float
    begin: float
    length: float
    turned: bool = False

    def at(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return self.begin + self.length * (1 - share if self.turned else share)


def span(values: Sequence[float]) -> tuple[float, float]:
    """A little more than from the least to the greatest."""
    low, high = min(values, default=0.0), max(values, default=1.0)
    room = 0.04 * (high - low) or 0.5 * abs(high) or 0.5
    return low - room, high + room


def ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Round numbers between two others: steps of 1, 2 or 5 times a power of ten."""
    rough = (high - low) / most
    power: float = 10.0 ** floor(log10(rough))
    step = next(one * power for one in (1, 2, 5, 10) if one * power >= rough)
    first = -floor(-low / step)
    return [step * (first + i) for i in range(floor(high / step) - first + 1)]


Marks = Mapping[float, str]
"""Numbers on an axis, and how they are written."""


def frame(across: Axis, up: Axis, x: str, y: str, marks: tuple[Marks, Marks]) -> list[str]:
    """A field with marks at its left and below.

    Args:
        across, up: the axes.
        x, y: what they are.
        marks: of each.
    """
    bottom = up.begin + up.length
    parts = [
        f'<rect x="{across.begin:g}" y="{up.begin:g}" width="{across.length:.6g}" height="{up.length:.6g}" '
        f'fill="#fafafa" stroke="{FAINT}"/>'
    ]
    for value, said in marks[0].items():
        place = across.at(value)
        parts.append(f'<path d="M{place:.2f} {bottom:.2f}v5" stroke="{FAINT}"/>')
        parts.append(text(place, bottom + 18, said, 11, anchor="middle"))
    for value, said in marks[1].items():
        place = up.at(value)
        parts.append(f'<path d="M{across.begin:g} {place:.2f}h-5" stroke="{FAINT}"/>')
        parts.append(text(across.begin - 9, place + 4, said, 11, anchor="end"))
    parts.append(text(across.begin + across.length / 2, bottom + 40, x, 13, anchor="middle"))
    middle = up.begin + up.length / 2
    turned = f' transform="rotate(-90 22 {middle:.2f})"'
    parts.append(text(22, middle, y, 13, anchor="middle", more=turned))
    return parts


def text(
    x: float, y: float, said: str, size: int, fill: str = INK, anchor: str = "start", weight: str = "", more: str = ""
) -> str:
    bold = f' font-weight="{weight}"' if weight else ""
    place = f'x="{x:.2f}" y="{y:.2f}" text-anchor="{anchor}"'
    return f'<text {place} {FONT} font-size="{size}"{bold} fill="{fill}"{more}>{escape(said)}</text>'


def picture(width: float, height: float, parts: Sequence[str]) -> str:
    """The source of a picture of these parts on white."""
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}" height="{height:g}" '
            f'viewBox="0 0 {width:g} {height:g}">',
            f'<rect width="{width:g}" height="{height:g}" fill="white"/>',
            *parts,
            "</svg>\n",
        )
    )
