"""Pictures of generations: each policy in its place."""

import math
from xml.etree import ElementTree

import pytest
from svg_pictures import named, places, texts

from germline.cli.pictures.generation_picture import generation_picture
from germline.cli.pictures.page import picture_bytes
from germline.search.analysis.generation import Axes, PolicyMarker, Scatter, Wall

MARKERS = [
    *(PolicyMarker(0.0, 0.0, 1.0), PolicyMarker(5.0, 2.5, 2.0), PolicyMarker(1.0, 2.0, 0.5)),
    *(PolicyMarker(10.0, 5.0, 3.0, parent=True), PolicyMarker(3.0, 3.0, 2.5, parent=True, elite=True)),
]


def drawn(markers: list[PolicyMarker], walls: tuple[Wall, ...] = ()) -> ElementTree.Element:
    plot = Scatter(markers, Axes("depth", "colour", [], 2), 0, 0)
    source = picture_bytes(generation_picture(plot, "a run", ["a note"], walls), "svg")
    assert b"nan" not in source.lower()
    return ElementTree.fromstring(source)


def test_policies_are_in_proportion_and_parents_and_the_elite_are_marked() -> None:
    root = drawn(MARKERS)
    (x1, y1), (x0, y0), (x5, y5) = places(root, "policies")  # in the order of fitness
    assert (x1 - x0) / (x5 - x0) == pytest.approx(0.2) and (y0 - y1) / (y0 - y5) == pytest.approx(0.8)
    assert len(places(root, "parents")) == 2
    assert named(root, "elite") is not None
    expected = {"a run", "depth", "colour", "fitness", "a note", "parents of the next generation", "elite"}
    assert expected <= set(texts(root))


def test_the_legend_lists_only_what_is_drawn() -> None:
    root = drawn(MARKERS[:2])
    assert not {"parents of the next generation", "elite"} & set(texts(root)) and named(root, "elite") is None


def test_with_walls_both_axes_have_one_scale() -> None:
    root = drawn(MARKERS, ((0, 0, 100, 0), (0, 0, 0, 100)))
    walls = [group for group in root.iter("{http://www.w3.org/2000/svg}g") if group.get("id") == "wall"]
    paths = [path.get("d", "").split() for wall in walls for path in wall]
    (_, x0, _, _, x1, _), (_, _, y0, _, _, y1) = paths
    assert float(x1) - float(x0) == pytest.approx(float(y0) - float(y1), rel=0.001)


@pytest.mark.slow
@pytest.mark.parametrize(
    "markers",
    [
        [],
        MARKERS[:1],
        [PolicyMarker(1.0, 1.0, 2.0)] * 3,
        [PolicyMarker(math.nan, 0.0, 1.0)],
        [PolicyMarker(9e299, -9e299, 9e299), PolicyMarker(-9e299, 0.0, 0.0)],
    ],
)
def test_few_or_odd_policies_make_a_picture(markers: list[PolicyMarker]) -> None:
    assert {"a run", "a note"} <= set(texts(drawn(markers)))
