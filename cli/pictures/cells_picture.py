"""The cells of an architecture, of the shapes that its SVG has: `germline.programs.architecture.drawing`."""

from math import hypot

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, PathPatch, Polygon
from matplotlib.path import Path
from matplotlib.patheffects import Stroke

from germline.cli.pictures.page import Picture, Style, label
from germline.programs.architecture.cell_layout import Arrow, Box, CellDrawing, Label
from germline.programs.drawing import INK

PIXELS_PER_INCH, POINTS_PER_PIXEL = 96, 0.75
_TIP_LENGTH, _TIP_WIDTH = 7.0, 5.6
"""The size of an arrow tip, in pixels for a line of a width of one pixel."""
_TEXT_SCALE = 0.9
"""The font of pages is wider than the fonts that an SVG asks for."""


def cells_picture(drawing: CellDrawing) -> Picture:
    """Returns the picture of a drawing, as large as the drawing."""

    def draw(figure: Figure) -> None:
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set_axis_off()
        axes.set_xlim(0, drawing.width)
        axes.set_ylim(drawing.height, 0)
        for arrow in drawing.arrows:
            _draw_arrow(axes, arrow)
        for each in drawing.labels:
            _draw_label(axes, each)
        for box in drawing.boxes:
            _draw_box(axes, box)

    size = drawing.height / PIXELS_PER_INCH, drawing.width / PIXELS_PER_INCH
    return Picture(draw, *size, constrained=False)


def _draw_arrow(axes: Axes, arrow: Arrow) -> None:
    places = [arrow.start, *(place for curve in arrow.curves for place in curve)]
    codes = [Path.MOVETO, *[Path.CURVE4] * (len(places) - 1)]
    (x0, y0), (x1, y1) = places[-2:]
    length = hypot(x1 - x0, y1 - y0) or 1.0
    dx, dy = (x1 - x0) / length, (y1 - y0) / length
    long, half = _TIP_LENGTH * arrow.width, 0.5 * _TIP_WIDTH * arrow.width
    base = x1 - long * dx, y1 - long * dy
    tip = [(x1, y1), (base[0] - half * dy, base[1] + half * dx), (base[0] + half * dy, base[1] - half * dx)]
    places[-1] = (x1 - 0.5 * long * dx, y1 - 0.5 * long * dy)  # the line ends inside of its tip
    style: Style = {"edgecolor": arrow.colour, "linewidth": arrow.width * POINTS_PER_PIXEL, "alpha": arrow.opacity}
    dashes = (0, (2.0, 2.0)) if arrow.dashed else "-"
    axes.add_patch(PathPatch(Path(places, codes), facecolor="none", linestyle=dashes, **style))
    axes.add_patch(Polygon(tip, facecolor=arrow.colour, edgecolor="none", alpha=arrow.opacity))


def _draw_label(axes: Axes, each: Label) -> None:
    style: Style = {"color": each.colour, "ha": "right" if each.right else "left", "va": "baseline"}
    style |= {"fontweight": "bold" if each.bold else "normal", "size": each.size * POINTS_PER_PIXEL * _TEXT_SCALE}
    # The white edge is outlines of letters, so it is drawn by itself: the text above stays a text.
    axes.text(each.x, each.y, label(each.text), path_effects=[Stroke(linewidth=2.2, foreground="white")], **style)
    axes.text(each.x, each.y, label(each.text), **style)


def _draw_box(axes: Axes, box: Box) -> None:
    corner = box.x, box.y - box.height / 2
    style: Style = {
        "facecolor": "#eeeeee" if box.end else "white",
        "edgecolor": INK,
        "linewidth": 1.2 * POINTS_PER_PIXEL,
    }
    rounded = "round,pad=0,rounding_size=6"
    axes.add_patch(FancyBboxPatch(corner, box.width, box.height, boxstyle=rounded, zorder=3, **style))
    size = 12 * POINTS_PER_PIXEL * _TEXT_SCALE
    axes.text(box.x + box.width / 2, box.y, label(box.title), ha="center", va="center_baseline", size=size, zorder=4)
