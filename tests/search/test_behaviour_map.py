"""Maps of behaviours: which cell a behaviour has, who keeps it, and layouts as data."""

import json
import math
from typing import Any

import numpy as np
import pytest

from germline.search.behaviour_map import (
    BadLayout,
    BehaviourMap,
    Born,
    MapLayout,
    Occupant,
    learned_bounds,
    read_layout,
    within,
)
from germline.search.map_cells import GridCells, VoronoiCells

PLANE = MapLayout((0, 1), ((0.0, 10.0), (-1.0, 1.0)), GridCells((5, 2)))


def born(name: str, fitness: float, *behaviour: float) -> Born[str]:
    return Born(name, fitness, behaviour)


def kept(known: BehaviourMap[str]) -> dict[int, str]:
    return {occupant.cell: occupant.individual for occupant in known.occupants}


def test_a_cell_keeps_the_fittest_and_of_equals_the_older() -> None:
    births = [born("a", 1.0, 0.5, 0.5), born("b", 3.0, 1.0, 0.9), born("c", 3.0, 1.9, 0.1), born("d", 2.0, 0.1, 0.2)]
    known = PLANE.add(PLANE.empty(), births)
    assert kept(known) == {1: "b"} and known.occupants == (Occupant(1, "b", 3.0),)
    assert kept(PLANE.add(known, [born("e", 3.0, 0.5, 0.5)])) == {1: "b"}
    assert kept(PLANE.add(known, [born("f", 3.5, 0.5, 0.5)])) == {1: "f"}


def test_one_block_or_many_make_the_same_map() -> None:
    rng = np.random.default_rng(4)
    births = [born(f"{i}", float(rng.integers(5)), *rng.normal(5, 4, 2)) for i in range(60)]
    whole = PLANE.add(PLANE.empty(), births)
    parts: BehaviourMap[str] = PLANE.empty()
    for first in range(0, 60, 7):
        parts = PLANE.add(parts, births[first : first + 7])
    assert parts == whole and [each.cell for each in whole.occupants] == sorted(kept(whole))
    for occupant in whole.occupants:
        rivals = [each for each in births if PLANE.cells.at(within(np.array([each.behaviour]), PLANE.bounds or ())) == [
            occupant.cell]]  # fmt: skip
        assert occupant.fitness == max(each.fitness for each in rivals)
        assert occupant.individual == next(each.individual for each in rivals if each.fitness == occupant.fitness)


def test_a_behaviour_outside_of_the_bounds_has_a_cell_at_the_border() -> None:
    far = [born("low", 0.0, -1e308, -5.0), born("high", 0.0, 1e308, 7.0), born("edge", 1.0, 10.0, 1.0)]
    assert kept(PLANE.add(PLANE.empty(), far)) == {0: "low", 9: "edge"}


def test_only_the_chosen_components_count_and_all_of_them_have_to_be_finite() -> None:
    layout = MapLayout((2, 0), None, GridCells((3, 3)))
    assert layout.chosen((1.0, math.nan, 3.0)) == (3.0, 1.0)
    assert layout.chosen((1.0, 2.0, math.inf)) is layout.chosen((math.nan, 2.0, 3.0)) is layout.chosen((1.0,)) is None


def test_bounds_are_learned_from_the_first_behaviours_with_a_margin_and_then_stay() -> None:
    layout = MapLayout((0, 1), None, GridCells((4, 4)))
    assert layout.empty().bounds is None and layout.add(layout.empty(), []).bounds is None
    known = layout.add(layout.empty(), [born("a", 0.0, 2.0, 5.0), born("b", 0.0, 6.0, 5.0)])
    assert known.bounds == ((0.0, 8.0), (0.0, 10.0))
    assert layout.add(known, [born("c", 0.0, 100.0, -100.0)]).bounds == known.bounds
    assert learned_bounds(np.array([[0.0], [0.0]])) == ((-1.0, 1.0),)
    [(low, high)] = learned_bounds(np.array([[-1e300], [1e300]]))
    assert math.isfinite(high - low)


@pytest.mark.parametrize(
    "layout", [PLANE, MapLayout((3,), None, GridCells((7,))), MapLayout((0, 4), None, VoronoiCells(9, 2))]
)
def test_a_layout_is_the_same_after_it_was_stored(layout: MapLayout) -> None:
    assert read_layout(json.loads(json.dumps(layout.data()))) == layout


@pytest.mark.parametrize(
    "change",
    [
        *({"grid": None}, {"grid": [5, 2, 2]}, {"grid": [5, 0]}, {"grid": [5.0, 2]}, {"grid": [10**6, 2]}),
        *({"grid": [400, 400]}, {"behaviours": [0, 100]}),
        *({"voronoi": 9}, {"behaviours": [0]}, {"behaviours": [0, -1]}, {"behaviours": "01"}, {"behaviours": []}),
        *({"bounds": [[0, 1]]}, {"bounds": [[0, 1], [1, 1]]}, {"bounds": [[0, 1], [0, math.inf]]}, {"bounds": 3}),
        *({"bounds": [[0, 1], [0, math.nan]]}, {"bounds": [["0", 1], [0, 1]]}, {"bounds": [[True, 2], [0, 1]]}),
    ],
    ids=str,
)
def test_a_damaged_layout_is_refused_in_a_line(change: dict[str, Any]) -> None:
    with pytest.raises(BadLayout, match=r"^expected .*, got "):
        read_layout({**PLANE.data(), **change})
    for data in (None, [], "grid", {}):
        with pytest.raises(BadLayout, match="expected a map with a grid or with voronoi cells, got"):
            read_layout(data)
