"""Pictures of generations: each marker in its place, and names that cannot inject markup."""

import math
from xml.etree import ElementTree

import pytest

from germline.programs.policy.drawing import ELITE, SCALE, PolicyMarker, colour, draw, ticks

SVG = "{http://www.w3.org/2000/svg}"
MARKERS = [
    PolicyMarker(0.0, 0.0, 1.0),
    PolicyMarker(10.0, 5.0, 3.0, parent=True),
    PolicyMarker(5.0, 2.5, 2.0, elite=True),
]


def circles(picture: str) -> list[ElementTree.Element]:
    """Circles of markers, in the order of fitness, the elite last."""
    everything = ElementTree.fromstring(picture).iter(f"{SVG}circle")
    return [circle for circle in everything if circle.find(f"{SVG}title") is not None]


def test_markers_are_placed_and_coloured_in_order() -> None:
    worst, best, elite = circles(draw(MARKERS, "a run", "x", "y"))
    across, down = ([float(circle.get(name, "")) for circle in (worst, elite, best)] for name in ("cx", "cy"))
    assert across == sorted(across) and down == sorted(down, reverse=True)
    assert across[1] == pytest.approx((across[0] + across[2]) / 2, abs=0.02)
    assert (worst.get("fill"), best.get("fill")) == (SCALE[0], SCALE[-1])
    assert (worst.get("r"), best.get("r")) == ("4", "5")


def test_the_elite_has_a_ring_and_the_legend_lists_only_what_is_drawn() -> None:
    assert draw(MARKERS, "a run", "x", "y").count(ELITE) == 2
    plain = draw(MARKERS[:1], "a run", "x", "y")
    assert ELITE not in plain and "parents" not in plain


def test_walls_are_drawn_behind_markers_and_both_axes_have_one_scale() -> None:
    root = ElementTree.fromstring(draw(MARKERS, "a run", "x", "y", walls=[(0, 0, 100, 0), (0, 0, 0, 100)]))
    floor, side = root.findall(f"{SVG}line")
    width = float(floor.get("x2", "")) - float(floor.get("x1", ""))
    assert width == pytest.approx(float(side.get("y1", "")) - float(side.get("y2", "")), abs=0.02)
    kinds = [node.tag for node in root]
    assert kinds.index(f"{SVG}line") < next(i for i, node in enumerate(root) if node.get("r") == "4")


@pytest.mark.parametrize(
    "markers", [[], MARKERS[:1], [PolicyMarker(1.0, 1.0, 2.0)] * 3, [PolicyMarker(math.nan, 0.0, 1.0)]]
)
def test_few_or_equal_markers_make_a_picture(markers: list[PolicyMarker]) -> None:
    picture = draw(markers, "a run", "x", "y", ["a note"])
    assert "nan" not in picture and len(circles(picture)) == sum(math.isfinite(marker.x) for marker in markers)
    assert "a note" in picture


def test_names_are_escaped() -> None:
    root = ElementTree.fromstring(draw(MARKERS, "</text><script>", "<x>", "&y"))
    texts = [node.text for node in root.iter(f"{SVG}text")]
    assert {"</text><script>", "<x>", "&y"} <= set(texts)


def test_ticks_are_round_numbers_inside_the_axis() -> None:
    assert ticks(0.0, 1.0) == pytest.approx([0.0, 0.2, 0.4, 0.6, 0.8, 1.0])
    assert ticks(-8.0, 208.0) == [0.0, 50.0, 100.0, 150.0, 200.0]
    assert ticks(3e-9, 4e-9) == pytest.approx([3e-9, 3.2e-9, 3.4e-9, 3.6e-9, 3.8e-9, 4e-9])


def test_colours_follow_the_scale() -> None:
    assert [colour(value, 0.0, 9.0) for value in range(10)] == list(SCALE)
    assert colour(5.0, 2.0, 2.0) == SCALE[-1] and colour(-1.0, 0.0, 1.0) == SCALE[0]
