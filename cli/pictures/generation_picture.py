"""A generation of policies: the behaviour of each as a point, coloured by fitness.

The colours are viridis, which colour-blind readers can tell apart and which keep their order in grey.
"""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from germline.cli.pictures.page import (
    LINE_HEIGHT,
    MANY_POINTS,
    Picture,
    Style,
    label,
    note_lines,
    write_legend,
    write_notes,
    write_title,
)
from germline.programs.drawing import INK, LARGEST_DRAWN
from germline.search.analysis.generation import PolicyMarker, Scatter, Wall

ELITE = "#d55e00"


def generation_picture(plot: Scatter, title: str, notes: Sequence[str] = (), walls: Sequence[Wall] = ()) -> Picture:
    """Returns the picture of a generation.

    Args:
        plot: the policies; points with a coordinate or fitness beyond `LARGEST_DRAWN` are left out.
        title: title of the picture.
        notes: lines of text below the picture.
        walls: lines drawn behind the points; if there are any, both axes have the same scale.
    """
    points = sorted(filter(_drawable, plot.points), key=lambda marker: (marker.elite, marker.parent, marker.fitness))

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        for x0, y0, x1, y1 in walls:
            axes.plot([x0, x1], [y0, y1], color=INK, linewidth=1.2, solid_capstyle="round", gid="wall", zorder=1)
        if walls:
            axes.set_aspect("equal")
            axes.grid(False)
        _draw_points(figure, axes, points)
        axes.set_xlabel(label(plot.axes.x))
        axes.set_ylabel(label(plot.axes.y))
        write_title(figure, title)
        write_notes(figure, notes)

    return Picture(draw, 3.1 + LINE_HEIGHT * len(note_lines(notes)))


def _drawable(marker: PolicyMarker) -> bool:
    return all(abs(value) < LARGEST_DRAWN for value in (marker.x, marker.y, marker.fitness))


def _draw_points(figure: Figure, axes: Axes, points: Sequence[PolicyMarker]) -> None:
    low = min((point.fitness for point in points), default=0.0)
    high = max((point.fitness for point in points), default=0.0)
    many = len(points) >= MANY_POINTS
    for parents in (False, True):
        group = [point for point in points if point.parent == parents]
        edge: Style = {"edgecolors": INK, "linewidths": 0.9} if parents else {"edgecolors": "white", "linewidths": 0.3}
        xs, ys = [point.x for point in group], [point.y for point in group]
        colours: Style = {"c": [point.fitness for point in group], "cmap": "viridis", "vmin": low, "vmax": high}
        drawn = axes.scatter(
            xs, ys, s=20 if parents else 14, zorder=3 if parents else 2, rasterized=many, **colours, **edge
        )
        drawn.set_gid("parents" if parents else "policies")
        if not parents:
            figure.colorbar(drawn, ax=axes, label="fitness", aspect=30, pad=0.02)
    ring: Style = {"s": 75, "facecolors": "none", "edgecolors": ELITE, "linewidths": 1.4}
    elite = [point for point in points if point.elite]
    if elite:
        axes.scatter([point.x for point in elite], [point.y for point in elite], zorder=4, gid="elite", **ring)
    handles = []
    if any(point.parent for point in points):
        look: Style = {"s": 20, "facecolors": "#bbbbbb", "edgecolors": INK, "linewidths": 0.9}
        handles.append(axes.scatter([], [], label="parents of the next generation", **look))
    if elite:
        handles.append(axes.scatter([], [], label="elite", **{**ring, "s": 40}))
    if handles:
        write_legend(axes, 2, handles)
