"""Pictures of fronts."""

from itertools import pairwise
from xml.etree import ElementTree

import pytest
from svg_pictures import named, places, texts

from germline.cli.pictures.front_picture import front_picture
from germline.cli.pictures.page import picture_bytes
from germline.db.records import RunRecord
from germline.search.analysis.front_plot import FrontPlot, Values

RUN = RunRecord(1, "cells", "architecture", "digits-cells", "quick", 1, {}, {}, "finished", None, "", 0.0)
POINTS = [(10.0, 4e6), (20.0, 4e5), (40.0, 3e4), (50.0, 4e6), (60.0, 5e5)]


def drawn(names: tuple[str, ...], points: list[Values], front: list[Values], line: list[Values]) -> ElementTree.Element:
    plot = FrontPlot(RUN, names, points, front, line)
    return ElementTree.fromstring(picture_bytes(front_picture(plot, "a title"), "svg"))


def test_the_front_is_a_staircase_below_all_points_with_the_winner_and_its_ancestor() -> None:
    root = drawn(("validation_error", "params"), POINTS, POINTS[:3], [POINTS[3], POINTS[4], POINTS[1]])
    assert {"validation error, %", "parameters", "100k", "1M", "front", "winner", "its oldest ancestor"} <= set(
        texts(root)
    )
    assert len(places(root, "individuals")) == 5 and len(places(root, "front")) == 3
    steps = places(root, "steps")
    assert len(steps) == 5 and all(x0 == x1 or y0 == y1 for (x0, y0), (x1, y1) in pairwise(steps))
    assert set(places(root, "front")) <= set(steps)
    assert places(root, "winner")[0] in places(root, "front") and len(places(root, "line")) == 3
    assert "3 points on the front, of 5 individuals" in texts(root)


@pytest.mark.slow
def test_each_further_objective_has_a_plot() -> None:
    points: list[Values] = [(1.0, 2.0, 3.0), (2.0, 1.0, 3.0), (3.0, 3.0, 0.5)]
    root = drawn(("validation_error", "params", "latency"), points, points, [])
    assert {"parameters", "milliseconds an image"} <= set(texts(root)) and texts(root).count("validation error, %") == 2
    assert named(root, "winner") is None


@pytest.mark.parametrize(
    "points", [[], [(1.0, 1.0)], [(0.0, 0.0), (-5.0, 1e9)], [(1e308, 1e308), (1.0, 1.0)], [(1e299, 1.0), (5e-324, 2.0)]]
)
def test_few_and_odd_points_make_a_picture_too(points: list[Values]) -> None:
    assert "a title" in texts(drawn(("validation_error", "<own> $x$"), points, points, points[:1]))
