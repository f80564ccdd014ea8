"""Pictures of maps: heat maps, bars, and lines across axes."""

import re
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest
from svg_pictures import named, places, texts

from germline.cli.pictures.map_picture import map_picture
from germline.cli.pictures.page import picture_bytes
from germline.db.records import RunRecord
from germline.search.analysis.map_plot import MapPlot
from germline.search.behaviour_map import Born, MapLayout
from germline.search.map_cells import Cells, GridCells, VoronoiCells

RUN = RunRecord(1, "a run", "policy", "hard-maze", "quick", 1, {}, {}, "finished", None, "", 0.0)
SVG = "{http://www.w3.org/2000/svg}"


def plotted(cells: Cells, births: int = 12) -> MapPlot:
    """The map of some births; the last is the winner."""
    layout = MapLayout(tuple(range(cells.dimensions)), ((-1.0, 3.0),) * cells.dimensions, cells)
    points = np.random.default_rng(5).uniform(-1, 3, (births, cells.dimensions))
    behaviours = {birth: tuple(map(float, point)) for birth, point in enumerate(points)}
    known = layout.add(layout.empty(), [Born(birth, float(birth), behaviours[birth]) for birth in behaviours])
    names = tuple(f"number {i} of <$x$>" for i in layout.behaviours)
    share = len(known.occupants) / cells.count
    return MapPlot(
        RUN, layout, known.bounds or (), names, known.occupants, behaviours, births - 1, 7, share, 55.5, -1.0
    )


def drawn(plot: MapPlot, walls: tuple[tuple[float, float, float, float], ...] = ()) -> ElementTree.Element:
    source = picture_bytes(map_picture(plot, "a title", walls), "svg")
    assert b"nan" not in source.lower()
    return ElementTree.fromstring(source)


def cells_of(root: ElementTree.Element) -> list[tuple[str, str]]:
    """The outline and the style of each cell that is drawn."""
    group = named(root, "map")
    assert group is not None
    return [(path.get("d", ""), path.get("style", "")) for path in group.iter(f"{SVG}path") if path.get("style")]


def test_a_grid_has_a_coloured_box_for_each_occupied_cell_named_axes_and_a_colour_bar() -> None:
    plot = plotted(GridCells((4, 3)))
    root = drawn(plot)
    shown = texts(root)
    assert {"a title", "fitness", "number 0 of <$x$>", "number 1 of <$x$>", "winner"} <= set(shown)
    note = f"after generation 7: {len(plot.occupants)} of 12 cells occupied, {100 * plot.coverage:.1f} %; QD score"
    assert note in " ".join(shown) and "with an offset of -1.0000" in " ".join(shown)
    assert len([style for _, style in cells_of(root) if "fill: #" in style]) == len(plot.occupants) < 12
    assert len({style for _, style in cells_of(root) if "fill: #" in style}) == len(plot.occupants)


def test_the_winner_is_marked_where_it_behaved_so_and_walls_give_both_axes_one_scale() -> None:
    plot = plotted(GridCells((4, 4)))
    walls = ((-1.0, -1.0, 3.0, -1.0), (-1.0, -1.0, -1.0, 3.0))
    root = drawn(plot, walls)
    paths = [path.get("d", "").split() for each in root.iter(f"{SVG}g") if each.get("id") == "wall" for path in each]
    (_, left, bottom, _, right, _), (_, _, _, _, _, top) = ([*map(_number, path)] for path in paths)
    assert right - left == pytest.approx(bottom - top, rel=0.001)
    group = named(root, "winner")
    assert group is not None
    outline = re.findall(r"(-?[\d.]+) (-?[\d.]+)", next(group.iter(f"{SVG}path")).get("d", ""))
    x, y = ((min(map(float, ends)) + max(map(float, ends))) / 2 for ends in zip(*outline, strict=True))
    east, north = plot.behaviours[11]
    assert (x - left) / (right - left) == pytest.approx((east + 1) / 4, abs=0.01)
    assert (bottom - y) / (bottom - top) == pytest.approx((north + 1) / 4, abs=0.01)


def _number(word: str) -> float:
    return float(word) if word not in ("M", "L") else 0.0


def test_a_single_behaviour_has_bars_as_high_as_the_fitness() -> None:
    plot = plotted(GridCells((5,)))
    root = drawn(plot)
    assert {"number 0 of <$x$>", "fitness"} <= set(texts(root)) and named(root, "map") is None
    bars = [path for path in root.iter(f"{SVG}path") if "fill: #0072b2" in path.get("style", "")]
    assert len(bars) == len(plot.occupants)


def test_many_behaviours_have_an_axis_each_and_a_line_for_each_policy() -> None:
    plot = plotted(GridCells((2, 2, 2, 2)))
    root = drawn(plot)
    group = named(root, "map")
    assert group is not None and len(list(group.iter(f"{SVG}path"))) == len(plot.occupants)
    assert len(places(root, "winner")) == 4
    assert sum("number" in text for text in texts(root)) == 4


@pytest.mark.slow
@pytest.mark.parametrize("cells", [VoronoiCells(9, 1), VoronoiCells(9, 2), VoronoiCells(30, 5)], ids=str)
def test_voronoi_maps_are_drawn(cells: VoronoiCells) -> None:
    assert "a title" in texts(drawn(plotted(cells)))


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(1,), (2, 2), (2, 1, 1)])
def test_a_map_of_one_policy_or_of_enormous_fitness_is_drawn(shape: tuple[int, ...]) -> None:
    plot = plotted(GridCells(shape), 1)
    assert "a title" in texts(drawn(replace(plot, winner=None)))
    enormous = [replace(each, fitness=sign * 1e308) for each in plot.occupants for sign in (-1, 1)]
    for occupant in enormous:
        assert "a title" in texts(drawn(replace(plot, occupants=(occupant,))))
