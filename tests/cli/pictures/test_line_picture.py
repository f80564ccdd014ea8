"""Pictures of lines: few, many and odd points."""

import re
from math import inf, nan
from xml.etree import ElementTree

import pytest
from svg_pictures import corners, named, places, stroke, texts

from germline.cli.pictures.line_picture import line_picture
from germline.cli.pictures.page import line_style, picture_bytes
from germline.programs.drawing import COLOURS
from germline.search.analysis.line_plot import Line, LinePlot, Point

LINES: dict[str, list[Line]] = {
    "none": [],
    "no points": [Line("a", [])],
    "one point": [Line("a", [Point(3, 1.0, 0.5)])],
    "nothing but zero": [Line("a", [Point(0, 0.0, 0.0)] * 2)],
    "not finite": [Line("a", [Point(0, nan), Point(1, inf), Point(2, 5.0, inf), Point(3, -1e308)])],
    "huge": [Line("a", [Point(0, -9e299), Point(1, 9e299, 9e299)])],
    "tiny": [Line("a", [Point(0, 0.0), Point(1, 5e-324)])],
    "equal": [Line("a", [Point(i, 1e-9) for i in range(9)], Point(8, 1e-9))],
    "many": [Line(f"run <{i}> " + 60 * "&", [Point(i, i), Point(9e9, -i)]) for i in range(40)],
}


def drawn(*lines: Line, **plot: str) -> ElementTree.Element:
    source = picture_bytes(line_picture(LinePlot(lines, "a title", "x", "y", ["a note"])), "svg")
    assert not re.search(rb"\b(nan|inf)\b", source)
    return ElementTree.fromstring(source)


@pytest.mark.slow
@pytest.mark.parametrize("lines", LINES.values(), ids=LINES)
def test_few_many_and_odd_points_make_a_picture_too(lines: list[Line]) -> None:
    root = drawn(*lines)
    assert {"a title", "x", "y", "a note"} <= set(texts(root))
    _, _, width, height = map(float, root.get("viewBox", "").split())
    assert width == 288, "four inches"
    for i in range(len(lines)):
        if named(root, f"line-{i}") is not None:
            assert all(0 <= x <= width and 0 <= y <= height for x, y in places(root, f"line-{i}"))


def test_points_are_in_proportion() -> None:
    root = drawn(Line("a", [Point(0, 0.0), Point(50, 1.0), Point(100, 4.0)]), Line("b", [Point(9, 2.0, 1.0)] * 2))
    (x0, y0), (x1, y1), (x2, y2) = places(root, "line-0")
    assert (x1 - x0) / (x2 - x0) == pytest.approx(0.5) and (y0 - y1) / (y0 - y2) == pytest.approx(0.25)
    band = [y for _, y in corners(root, "band-1")]
    assert max(band) == pytest.approx(y1, abs=0.01) and min(band) == pytest.approx(y0 - 0.75 * (y0 - y2), abs=0.01)


@pytest.mark.slow
def test_lines_of_the_same_colour_have_different_dashes() -> None:
    root = drawn(*LINES["many"])
    assert [stroke(root, f"line-{i}") for i in range(10)] == list(COLOURS)
    assert stroke(root, "line-10") == COLOURS[0]
    assert len({tuple(line_style(i).values()) for i in range(40)}) == 40


def test_a_single_line_has_no_legend() -> None:
    assert "alone" not in texts(drawn(Line("alone", [Point(1, 1.0)])))
    assert {"alone", "b (search)"} <= set(texts(drawn(Line("alone", []), Line("b", [], label="search"))))


@pytest.mark.slow
def test_numbers_on_an_axis_are_short() -> None:
    assert {"500k", "1M", "1.5M"} <= set(texts(drawn(Line("a", [Point(2e6, 1.0)]))))
    assert {"0", "1000", "5000"} <= set(texts(drawn(Line("a", [Point(5000, 1.0)]))))
    assert {"20k", "40k"} <= set(texts(drawn(Line("a", [Point(5, 0.0), Point(6, 40_000.0)]))))
