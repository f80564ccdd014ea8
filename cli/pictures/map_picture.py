"""The map of a run of policies: the fitness in each cell.

Two behaviours are the axes of a heat map, with the walls of the environment if they are positions in it. A single
behaviour is the axis of bars. Of more behaviours no two tell all, so each has an axis of its own, and a policy is a
line across them, the fittest above the others. Colours are viridis, as for a generation.
"""

from collections.abc import Sequence
from textwrap import fill

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from germline.cli.formatting import counted, number
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
from germline.search.analysis.generation import Wall
from germline.search.analysis.map_plot import MapPlot
from germline.search.behaviour_map import within
from germline.search.map_cells import Floats, GridCells, VoronoiCells, edges

WINNER, BARS = "#d55e00", "#0072b2"
PIXELS = 240
"""Width and height of the image of a Voronoi map: each pixel has the colour of the cell in which its centre lies."""
COLOURS = "viridis"


def map_picture(plot: MapPlot, title: str, walls: Sequence[Wall] = ()) -> Picture:
    """Returns the picture of a map. A fitness beyond `LARGEST_DRAWN` is drawn as that.

    Args:
        plot: the map.
        title: title of the picture.
        walls: lines drawn over a map of two behaviours, which then has axes of one scale.
    """
    dimensions = len(plot.names)
    fitness = np.clip([occupant.fitness for occupant in plot.occupants], -LARGEST_DRAWN, LARGEST_DRAWN)
    values = np.full(plot.layout.cells.count, np.nan)
    values[[occupant.cell for occupant in plot.occupants]] = fitness
    occupied = f"{len(plot.occupants):,} of {counted(len(values), 'cell')} occupied, {100 * plot.coverage:.1f} %"
    score = f"QD score {number(plot.score)}, with an offset of {number(plot.offset)}"
    notes = [f"after generation {plot.block}: {occupied}; {score}"]

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        axes.grid(False)
        norm = Normalize(float(fitness.min()), float(fitness.max()))
        colours = ScalarMappable(norm, COLOURS)
        if dimensions == 1:
            _draw_bars(axes, plot, values)
        elif dimensions == 2:
            _draw_plane(axes, plot, values, norm, walls)
        else:
            _draw_lines(axes, plot, fitness, colours)
        if dimensions > 1:
            figure.colorbar(colours, ax=axes, label="fitness", aspect=30, pad=0.02)
        write_title(figure, title)
        write_notes(figure, notes)

    return Picture(draw, 3.1 + 0.5 * (dimensions > 2) + LINE_HEIGHT * len(note_lines(notes)))


def _draw_bars(axes: Axes, plot: MapPlot, values: Floats) -> None:
    """A bar for each occupied cell, from the lowest fitness up."""
    [(low, high)] = plot.bounds
    cells = plot.layout.cells
    if isinstance(cells, VoronoiCells):
        order = np.argsort(cells.centroids[:, 0])
        centres = cells.centroids[order, 0]
        borders = low + (high - low) * np.concatenate([[0.0], (centres[1:] + centres[:-1]) / 2, [1.0]])
        values = values[order]
    else:
        [borders] = edges((cells.count,), plot.bounds)
    lowest, highest = float(np.nanmin(values)), float(np.nanmax(values))
    floor = lowest - 0.05 * ((highest - lowest) or abs(lowest) or 1.0)
    occupied = ~np.isnan(values)
    look: Style = {"color": BARS, "edgecolor": "white", "linewidth": 0.3}
    lefts, widths = borders[:-1][occupied], np.diff(borders)[occupied]
    axes.bar(lefts, values[occupied] - floor, widths, floor, align="edge", **look)
    axes.set_xlim(low, high)
    axes.set_ylim(floor, None)
    axes.set_xlabel(label(plot.names[0]))
    axes.set_ylabel("fitness")


def _draw_plane(axes: Axes, plot: MapPlot, values: Floats, norm: Normalize, walls: Sequence[Wall]) -> None:
    """A heat map; empty cells stay white."""
    cells = plot.layout.cells
    if isinstance(cells, GridCells):
        x, y = edges(cells.shape, plot.bounds)
        grid = np.ma.masked_invalid(values.reshape(cells.shape).T)
    else:
        x, y = edges((PIXELS, PIXELS), plot.bounds)
        middles = (np.arange(PIXELS) + 0.5) / PIXELS
        pixels = np.stack([each.ravel() for each in np.meshgrid(middles, middles)], 1)
        grid = np.ma.masked_invalid(values[cells.at(pixels)].reshape(PIXELS, PIXELS))
    mesh = axes.pcolormesh(x, y, grid, cmap=COLOURS, norm=norm, rasterized=grid.size >= MANY_POINTS, linewidth=0)
    mesh.set_gid("map")
    for x0, y0, x1, y1 in walls:
        axes.plot([x0, x1], [y0, y1], color=INK, linewidth=1.2, solid_capstyle="round", gid="wall")
    if walls:
        axes.set_aspect("equal")
    axes.set_xlabel(label(plot.names[0]))
    axes.set_ylabel(label(plot.names[1]))
    if plot.winner is not None:
        place = _scaled(plot, [plot.winner])[0]
        (low_x, high_x), (low_y, high_y) = plot.bounds
        x_place, y_place = low_x + (high_x - low_x) * place[0], low_y + (high_y - low_y) * place[1]
        ring: Style = {"s": 45, "facecolors": "none", "edgecolors": WINNER, "linewidths": 1.4, "label": "winner"}
        winner = axes.scatter([x_place], [y_place], zorder=4, **ring)
        winner.set_gid("winner")
        write_legend(axes, 1, [winner])


def _draw_lines(axes: Axes, plot: MapPlot, fitness: Floats, colours: ScalarMappable) -> None:
    """A line for each policy in the map, and for the winner, across an axis for each behaviour."""
    order = np.argsort(fitness, kind="stable")
    places = _scaled(plot, [plot.occupants[i].individual for i in order])
    across = list(range(len(plot.names)))
    lines = LineCollection(
        [np.column_stack([across, place]) for place in places],
        colors=colours.to_rgba(fitness[order]),
        linewidths=0.6,
        rasterized=len(places) >= MANY_POINTS // len(across),
    )
    lines.set_gid("map")
    axes.add_collection(lines)
    axes.vlines(across, 0.0, 1.0, color=INK, linewidth=0.6)
    for position, (low, high) in zip(across, plot.bounds, strict=True):
        for height, end, side in ((0.0, low, "top"), (1.0, high, "bottom")):
            axes.text(position, height, f"{end:.3g}", ha="center", va=side, fontsize=6.5)
    if plot.winner is not None:
        [place] = _scaled(plot, [plot.winner])
        [winner] = axes.plot(across, place, color=WINNER, linewidth=1.4, label="winner", gid="winner")
        write_legend(axes, 1, [winner])
    axes.set_xlim(-0.3, len(across) - 0.7)
    axes.set_ylim(-0.08, 1.08)
    axes.set_yticks([])
    axes.spines[["left", "bottom"]].set_visible(False)
    names = [fill(label(name, 40), 18) for name in plot.names]
    axes.set_xticks(across, names, rotation=30 if len(across) > 3 else 0, ha="right" if len(across) > 3 else "center")
    axes.tick_params(length=0)


def _scaled(plot: MapPlot, births: Sequence[int]) -> Floats:
    """The behaviours of births in the unit cube; what is outside of the bounds is on the border."""
    return within(np.array([plot.behaviours[birth] for birth in births], np.float64), plot.bounds)
