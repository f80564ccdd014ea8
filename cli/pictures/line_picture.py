"""Lines with bands for confidence intervals and a diamond for the test of each run."""

from collections.abc import Sequence
from math import isfinite

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter

from germline.cli.pictures.page import (
    LINE_HEIGHT,
    SMALLEST_WITH_UNITS,
    Picture,
    count_axis,
    label,
    line_style,
    note_lines,
    write_legend,
    write_notes,
    write_title,
)
from germline.programs.drawing import INK, LARGEST_DRAWN
from germline.search.analysis.line_plot import Line, LinePlot, Point

LONGEST_NAME = 40
"""The largest number of letters of a name in the legend."""
_BESIDE = 26
"""The largest number of letters of names that have room for two in a row."""


def line_picture(plot: LinePlot) -> Picture:
    """Returns the picture of a plot. Points that are not finite are left out."""
    names = [_legend_name(line) for line in plot.lines]
    columns = 2 if max(map(len, names), default=0) <= _BESIDE else 1
    rows = (-(-len(names) // columns) if len(names) > 1 else 0) + len(note_lines(plot.notes))

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        drawn = [[point for point in line.points if _drawable(point)] for line in plot.lines]
        for i, (line, points) in enumerate(zip(plot.lines, drawn, strict=True)):
            _draw_line(axes, i, points, names[i], line.dots)
        for i, line in enumerate(plot.lines):
            if line.test and _drawable(line.test):
                _draw_test(axes, i, line.test)
        _scale(axes, [point for points in drawn for point in points])
        axes.set_xlabel(label(plot.x))
        axes.set_ylabel(label(plot.y))
        write_title(figure, plot.title)
        write_notes(figure, plot.notes)
        if len(names) > 1:
            write_legend(axes, columns)

    return Picture(draw, 2.6 + LINE_HEIGHT * rows)


def _drawable(point: Point) -> bool:
    return isfinite(point.x) and abs(point.y) < LARGEST_DRAWN


def _half_width(point: Point) -> float:
    return point.half_width if point.half_width is not None and point.half_width < LARGEST_DRAWN else 0.0


def _draw_line(axes: Axes, i: int, points: Sequence[Point], name: str, dots: bool) -> None:
    style = line_style(i)
    # A dot at the end, so that a line of one point can be seen.
    marked = None if dots else [len(points) - 1] if points else []
    places = [point.x for point in points], [point.y for point in points]
    axes.plot(*places, label=name, gid=f"line-{i}", marker="o", markersize=2.6, markevery=marked, **style)
    known = [point for point in points if point.half_width is not None]
    if known:
        low = [point.y - _half_width(point) for point in known]
        high = [point.y + _half_width(point) for point in known]
        across = [point.x for point in known]
        axes.fill_between(across, low, high, color=style["color"], alpha=0.16, linewidth=0.4, gid=f"band-{i}")


def _draw_test(axes: Axes, i: int, test: Point) -> None:
    bar = [[_half_width(test)], [_half_width(test)]]
    axes.errorbar([test.x], [test.y], bar, fmt="none", ecolor=INK, elinewidth=0.9, zorder=3)
    colour = line_style(i)["color"]
    axes.plot([test.x], [test.y], "D", color=colour, mec=INK, mew=0.8, markersize=5, zorder=4, gid=f"test-{i}")


def _scale(axes: Axes, points: Sequence[Point]) -> None:
    right = max((point.x for point in points), default=0.0)
    axes.set_xlim(0.0, 1.03 * right or 1.0)
    count_axis(axes.xaxis, right)
    if SMALLEST_WITH_UNITS <= max((abs(point.y) for point in points), default=0.0) < 1e15:
        axes.yaxis.set_major_formatter(EngFormatter(sep=""))


def _legend_name(line: Line) -> str:
    name = label(line.name, LONGEST_NAME)
    shown = f"{name} ({label(line.label, LONGEST_NAME)})" if line.label else name
    return f" {shown}" if shown.startswith("_") else shown  # such names are left out of legends
