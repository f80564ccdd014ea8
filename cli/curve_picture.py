"""Learning curves as an SVG picture: a line for each run, with bands for confidence intervals and a mark for its
test."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite

from germline.programs.drawing import (
    COLOURS,
    FAINT,
    INK,
    LARGEST_DRAWN,
    Axis,
    character_data,
    frame,
    picture,
    span,
    text,
    ticks,
)

WIDTH, HEIGHT = 640, 400
"""The area of the lines, in pixels."""
LEFT, TOP, BOTTOM = 84, 48, 80
"""Margins around the area of the lines, in pixels."""
LEGEND_ROW, LETTER_WIDTH = 20, 7
"""The height of a legend's row and the width of a letter, in pixels."""
LONGEST_NAME = 40
"""The largest number of letters of a name in the legend."""
DASHES = ("", "7 4", "2 3")
"""Dash patterns of the lines, where there are more lines than colours."""
UNITS = (("G", 1e9), ("M", 1e6), ("k", 1e3))
SMALLEST_WITH_UNITS = 1e4
"""An axis whose largest value is at least this has units, such as k."""


@dataclass(frozen=True)
class Point:
    """A value, with the half width of its confidence interval; None if that is unknown."""

    x: float
    y: float
    half_width: float | None = None


@dataclass(frozen=True)
class Line:
    """The learning curve of a run, and its last test. `label` names the quantity that the line shows if it is not
    that of the y axis; else it is empty."""

    name: str
    points: Sequence[Point]
    test: Point | None = None
    label: str = ""


def draw(lines: Sequence[Line], title: str, x: str, y: str, notes: Sequence[str] = ()) -> str:
    """Returns the source of an SVG picture.

    Args:
        lines: points that are not finite are left out.
        title: the title of the picture.
        x: the name of the x axis, which begins at 0.
        y: the name of the y axis.
        notes: lines of text below the picture.
    """
    drawn = [[point for point in line.points if _drawable(point)] for line in lines]
    tests = [line.test if line.test and _drawable(line.test) else None for line in lines]
    every_point = [*(point for points in drawn for point in points), *(test for test in tests if test)]
    x_axis, y_axis = _axes(every_point)
    names = [_legend_name(line) for line in lines]
    right = 68 + LETTER_WIDTH * max(map(len, names), default=0)
    height = max(TOP + HEIGHT + BOTTOM, TOP + LEGEND_ROW * len(lines) + 24)
    styles = [(COLOURS[i % len(COLOURS)], DASHES[i // len(COLOURS) % len(DASHES)]) for i in range(len(lines))]
    whole_ticks = [value for value in ticks(x_axis.low, x_axis.high) if value == int(value)]
    parts = [
        text(LEFT, 26, title, 15, weight="bold"),
        *frame(x_axis, y_axis, x, y, (tick_labels(whole_ticks), tick_labels(ticks(y_axis.low, y_axis.high)))),
        *(_band(points, colour, x_axis, y_axis) for points, (colour, _) in zip(drawn, styles, strict=True)),
        *(_line(*of_line, x_axis, y_axis) for of_line in zip(names, drawn, styles, strict=True)),
        *(_test(test, colour, x_axis, y_axis) for test, (colour, _) in zip(tests, styles, strict=True) if test),
        *(_legend(i, name, *style) for i, (name, style) in enumerate(zip(names, styles, strict=True))),
        *(text(LEFT, height + 16 * i, note, 11, FAINT) for i, note in enumerate(notes)),
    ]
    return picture(LEFT + WIDTH + right, height + 16 * len(notes), parts)


def tick_labels(values: Sequence[float]) -> dict[float, str]:
    """Returns the label of each value on an axis, such as `500k`, `2M` or `-0.25`."""
    if SMALLEST_WITH_UNITS <= max(map(abs, values), default=0.0) < 1e15:
        return {value: _with_unit(value) for value in values}
    return {value: f"{value:.10g}" for value in values}


def _with_unit(value: float) -> str:
    for unit, size in UNITS:
        if size <= abs(value):
            return f"{value / size:.10g}{unit}"
    return f"{value:.10g}"


def _drawable(point: Point) -> bool:
    return isfinite(point.x) and abs(point.y) < LARGEST_DRAWN


def _axes(points: Sequence[Point]) -> tuple[Axis, Axis]:
    ends = [point.y + side * _half_width(point) for point in points for side in (-1, 1)]
    right = max((point.x for point in points), default=0.0)
    return Axis(0.0, 1.03 * right or 1.0, LEFT, WIDTH), Axis(*span(ends), TOP, HEIGHT, turned=True)


def _half_width(point: Point) -> float:
    return point.half_width if point.half_width is not None and point.half_width < LARGEST_DRAWN else 0.0


def _band(points: Sequence[Point], colour: str, x_axis: Axis, y_axis: Axis) -> str:
    """A light area that covers the known confidence intervals of a line."""
    known = [point for point in points if point.half_width is not None]
    if not known:
        return ""
    upper = [f"{x_axis.at(point.x):.2f},{y_axis.at(point.y + _half_width(point)):.2f}" for point in known]
    lower = [f"{x_axis.at(point.x):.2f},{y_axis.at(point.y - _half_width(point)):.2f}" for point in reversed(known)]
    edge = f'stroke="{colour}" stroke-opacity="0.18"'
    return f'<polygon points="{" ".join(upper + lower)}" fill="{colour}" fill-opacity="0.15" {edge}/>'


def _line(name: str, points: Sequence[Point], style: tuple[str, str], x_axis: Axis, y_axis: Axis) -> str:
    """A line with a dot at its end, so that a line of one point can be seen."""
    if not points:
        return ""
    colour, dash = style
    positions = [f"{x_axis.at(point.x):.2f},{y_axis.at(point.y):.2f}" for point in points]
    x, y = positions[-1].split(",")
    line = f'<polyline points="{" ".join(positions)}" {_stroke(colour, dash)} stroke-linejoin="round"/>'
    return f'<g>{_tooltip(name)}{line}<circle cx="{x}" cy="{y}" r="2.6" fill="{colour}"/></g>'


def _test(test: Point, colour: str, x_axis: Axis, y_axis: Axis) -> str:
    """The mark of a test: a diamond, with a bar over its confidence interval."""
    x, y = x_axis.at(test.x), y_axis.at(test.y)
    top, bottom = y_axis.at(test.y + _half_width(test)), y_axis.at(test.y - _half_width(test))
    bar = f'<path d="M{x:.2f} {top:.2f}V{bottom:.2f}" stroke="{INK}" stroke-width="1.4"/>'
    shape = f'd="M{x:.2f} {y - 6:.2f}l5 6l-5 6l-5 -6z"'
    return f'<g>{_tooltip("test")}{bar}<path {shape} fill="{colour}" stroke="{INK}" stroke-width="1.2"/></g>'


def _legend(i: int, name: str, colour: str, dash: str) -> str:
    x, y = LEFT + WIDTH + 16, TOP + LEGEND_ROW * i + 14
    return f'<path d="M{x} {y - 4}h26" {_stroke(colour, dash)}/>{text(x + 34, y, name, 12)}'


def _stroke(colour: str, dash: str) -> str:
    return f'fill="none" stroke="{colour}" stroke-width="1.8"' + (f' stroke-dasharray="{dash}"' if dash else "")


def _tooltip(words: str) -> str:
    """An SVG title, which browsers show when the mouse is over its parent element."""
    return f"<title>{character_data(words)}</title>"


def _legend_name(line: Line) -> str:
    name = line.name if len(line.name) <= LONGEST_NAME else line.name[: LONGEST_NAME - 1] + "…"
    return f"{name} ({line.label})" if line.label else name
