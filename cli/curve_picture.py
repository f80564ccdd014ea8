"""A picture of learning curves as SVG: a line a run, with what its points may be off by, and a mark for its test."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import isfinite
from xml.sax.saxutils import escape

from germline.programs.drawing import COLOURS, FAINT, INK, Axis, frame, picture, span, text, ticks

WIDTH, HEIGHT = 640, 400
"""Of the field in which lines run."""
LEFT, TOP, BOTTOM = 84, 48, 80
ROW, LETTER, LONGEST = 20, 7, 40
"""Of the legend: pixels a line, and a letter; and letters of a name, at most."""
DASHES = ("", "7 4", "2 3")
"""Lines of one colour, where there are more lines than colours."""
UNITS = (("G", 1e9), ("M", 1e6), ("k", 1e3))
LARGE = 1e4
"""An axis that goes so far has units."""
FARTHEST = 1e300
"""Values beyond are left out, since nothing else could be seen beside them."""


@dataclass(frozen=True)
class Point:
    """A value, and how far from it the true one may lie to each side; None if that is not known."""

    x: float
    y: float
    width: float | None = None


@dataclass(frozen=True)
class Line:
    """What is drawn of a run."""

    name: str
    points: Sequence[Point]
    test: Point | None = None
    of: str = field(default="")
    """What it is a line of, if not of what the axis says."""


def draw(lines: Sequence[Line], title: str, x: str, y: str, notes: Sequence[str] = ()) -> str:
    """The source of an SVG picture.

    Args:
        lines: values that are not finite are left out.
        title: what it is a picture of.
        x, y: what the axes are; x is counted from 0.
        notes: lines below.
    """
    kept = [[one for one in line.points if _drawable(one)] for line in lines]
    tests = [line.test if line.test and _drawable(line.test) else None for line in lines]
    everything = [*(one for points in kept for one in points), *(one for one in tests if one)]
    across, up = _axes(everything)
    names = [_short(line) for line in lines]
    right = 68 + LETTER * max(map(len, names), default=0)
    low = max(TOP + HEIGHT + BOTTOM, TOP + ROW * len(lines) + 24)
    styles = [(COLOURS[i % len(COLOURS)], DASHES[i // len(COLOURS) % len(DASHES)]) for i in range(len(lines))]
    whole = [value for value in ticks(across.low, across.high) if value == int(value)]
    parts = [
        text(LEFT, 26, title, 15, weight="bold"),
        *frame(across, up, x, y, (marks(whole), marks(ticks(up.low, up.high)))),
        *(_band(points, colour, across, up) for points, (colour, _) in zip(kept, styles, strict=True)),
        *(_line(*one, across, up) for one in zip(names, kept, styles, strict=True)),
        *(_test(one, colour, across, up) for one, (colour, _) in zip(tests, styles, strict=True) if one),
        *(_label(i, name, *style) for i, (name, style) in enumerate(zip(names, styles, strict=True))),
        *(text(LEFT, low + 16 * i, note, 11, FAINT) for i, note in enumerate(notes)),
    ]
    return picture(LEFT + WIDTH + right, low + 16 * len(notes), parts)


def marks(values: Sequence[float]) -> dict[float, str]:
    """How the numbers of an axis are written: `500k` and `2M`, or `-0.25`."""
    if LARGE <= max(map(abs, values), default=0.0) < 1e15:
        return {value: _with_unit(value) for value in values}
    return {value: f"{value:.10g}" for value in values}


def _with_unit(value: float) -> str:
    unit, size = next((one for one in UNITS if one[1] <= abs(value)), ("", 1.0))
    return f"{value / size:.10g}{unit}"


def _drawable(one: Point) -> bool:
    return isfinite(one.x) and abs(one.y) < FARTHEST


def _axes(points: Sequence[Point]) -> tuple[Axis, Axis]:
    ends = [one.y + side * _half(one) for one in points for side in (-1, 1)]
    right = max((one.x for one in points), default=0.0)
    return Axis(0.0, 1.03 * right or 1.0, LEFT, WIDTH), Axis(*span(ends), TOP, HEIGHT, turned=True)


def _half(one: Point) -> float:
    return one.width if one.width is not None and one.width < FARTHEST else 0.0


def _band(points: Sequence[Point], colour: str, across: Axis, up: Axis) -> str:
    """A light area around a line, where it is known how wide it is."""
    wide = [one for one in points if one.width is not None]
    if not wide:
        return ""
    upper = [f"{across.at(one.x):.2f},{up.at(one.y + _half(one)):.2f}" for one in wide]
    lower = [f"{across.at(one.x):.2f},{up.at(one.y - _half(one)):.2f}" for one in reversed(wide)]
    edge = f'stroke="{colour}" stroke-opacity="0.18"'
    return f'<polygon points="{" ".join(upper + lower)}" fill="{colour}" fill-opacity="0.15" {edge}/>'


def _line(name: str, points: Sequence[Point], style: tuple[str, str], across: Axis, up: Axis) -> str:
    """A line, with a dot at its end, which is all of it that one point gives."""
    if not points:
        return ""
    colour, dash = style
    places = [f"{across.at(one.x):.2f},{up.at(one.y):.2f}" for one in points]
    x, y = places[-1].split(",")
    line = f'<polyline points="{" ".join(places)}" {_stroke(colour, dash)} stroke-linejoin="round"/>'
    return f'<g>{_title(name)}{line}<circle cx="{x}" cy="{y}" r="2.6" fill="{colour}"/></g>'


def _test(one: Point, colour: str, across: Axis, up: Axis) -> str:
    """A diamond, with a line from one end of its interval to the other."""
    x, y = across.at(one.x), up.at(one.y)
    top, bottom = up.at(one.y + _half(one)), up.at(one.y - _half(one))
    bar = f'<path d="M{x:.2f} {top:.2f}V{bottom:.2f}" stroke="{INK}" stroke-width="1.4"/>'
    shape = f'd="M{x:.2f} {y - 6:.2f}l5 6l-5 6l-5 -6z"'
    return f'<g>{_title("test")}{bar}<path {shape} fill="{colour}" stroke="{INK}" stroke-width="1.2"/></g>'


def _label(i: int, name: str, colour: str, dash: str) -> str:
    x, y = LEFT + WIDTH + 16, TOP + ROW * i + 14
    return f'<path d="M{x} {y - 4}h26" {_stroke(colour, dash)}/>{text(x + 34, y, name, 12)}'


def _stroke(colour: str, dash: str) -> str:
    return f'fill="none" stroke="{colour}" stroke-width="1.8"' + (f' stroke-dasharray="{dash}"' if dash else "")


def _title(said: str) -> str:
    """What a browser shows when one points at it."""
    return f"<title>{escape(said)}</title>"


def _short(line: Line) -> str:
    name = line.name if len(line.name) <= LONGEST else line.name[: LONGEST - 1] + "…"
    return f"{name} ({line.of})" if line.of else name
