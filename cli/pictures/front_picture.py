"""The front of a run with several objectives: a plot of the first objective over each other one."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, LogLocator, NullFormatter

from germline.cli.formatting import counted
from germline.cli.pictures.page import (
    LINE_HEIGHT,
    MANY_POINTS,
    SMALLEST_WITH_UNITS,
    Picture,
    Style,
    label,
    write_legend,
    write_notes,
    write_title,
)
from germline.programs.drawing import INK, LARGEST_DRAWN
from germline.search.analysis.front_plot import FrontPlot, staircase

NAMES = {
    "validation_error": "validation error, %",
    "params": "parameters",
    "macs": "multiply-accumulates",
    "latency": "milliseconds an image",
}
"""What the axes of objectives are called."""
FRONT, WINNER = "#0072b2", "#d55e00"
LOGARITHMIC = 10.0
"""An axis is logarithmic if its largest value is at least this many times its smallest."""

Places = Sequence[tuple[float, float]]


def front_picture(plot: FrontPlot, title: str) -> Picture:
    """Returns the picture of a front. Points beyond `LARGEST_DRAWN` are left out."""
    others = range(1, len(plot.names))
    notes = [f"{counted(len(plot.front), 'point')} on the front, of {counted(len(plot.points), 'individual')}"]
    if len(others) > 1:
        notes[0] += "; steps: what a plot's two objectives alone would leave of it"

    def draw(figure: Figure) -> None:
        panels = [axes for [axes] in figure.subplots(len(others), 1, sharey=True, squeeze=False)]
        for axes, other in zip(panels, others, strict=True):
            _draw_plane(axes, plot, other)
            axes.set_xlabel(NAMES.get(plot.names[other], label(plot.names[other])))
            axes.set_ylabel(NAMES.get(plot.names[0], label(plot.names[0])))
        write_legend(panels[0], 2)
        write_title(figure, title)
        write_notes(figure, notes)

    return Picture(draw, 0.9 + 2.0 * len(others) + LINE_HEIGHT * len(notes))


def _draw_plane(axes: Axes, plot: FrontPlot, other: int) -> None:
    points, front, line = (
        [(values[other], values[0]) for values in group if max(map(abs, values)) < LARGEST_DRAWN]
        for group in (plot.points, plot.front, plot.line)
    )
    look: Style = {"markersize": 2.4, "markeredgewidth": 0, "alpha": 0.6, "rasterized": len(points) >= MANY_POINTS}
    axes.plot(*_columns(points), "o", color="#b0b0b0", label="individuals", gid="individuals", zorder=1, **look)
    axes.step(*_columns(staircase(front)), where="post", color=FRONT, linewidth=1.0, gid="steps", zorder=2)
    axes.plot(*_columns(front), "o", color=FRONT, markersize=3.2, label="front", gid="front", zorder=3)
    if line:
        axes.plot(*_columns(line), "--", color=INK, linewidth=0.5, marker=".", ms=2.0, gid="line", zorder=4)
        oldest: Style = {"mec": INK, "mew": 0.9, "markersize": 4.5, "label": "its oldest ancestor", "gid": "oldest"}
        axes.plot(
            *_columns(line[-1:]), "*", color=WINNER, mec=INK, mew=0.5, ms=9, label=plot.marked, gid="winner", zorder=6
        )
        axes.plot(*_columns(line[:1]), "D", color="white", zorder=5, **oldest)
    if _is_wide([x for x, _ in points]):
        axes.set_xscale("log")
    if _is_wide([y for _, y in points]):
        axes.set_yscale("log")
    _write_numbers(axes.xaxis, [x for x, _ in points])
    _write_numbers(axes.yaxis, [y for _, y in points])


def _is_wide(values: Sequence[float]) -> bool:
    """Whether values differ by orders of magnitude, so that their axis is logarithmic."""
    return 0 < LOGARITHMIC * min(values, default=0.0) <= max(values, default=0.0)


def _write_numbers(axis: Axis, values: Sequence[float]) -> None:
    """Writes the numbers of an axis in short, such as 500k."""
    if _is_wide(values):
        axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0), numticks=8))
        axis.set_minor_formatter(NullFormatter())
        axis.set_major_formatter(EngFormatter(sep="") if max(values) >= 1e3 else "{x:g}")
    elif max(values, default=0.0) >= SMALLEST_WITH_UNITS:
        axis.set_major_formatter(EngFormatter(sep=""))


def _columns(points: Places) -> tuple[list[float], list[float]]:
    return [x for x, _ in points], [y for _, y in points]
