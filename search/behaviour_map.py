"""Maps of behaviours (MAP-Elites; Mouret and Clune 2015): each cell keeps the fittest individual that behaved so.

A behaviour outside of the bounds counts as a behaviour on the border. Of equally fit individuals the older keeps the
cell.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, Generic, TypeVar

import numpy as np

from germline.search.map_cells import Cells, Floats, GridCells, VoronoiCells

T = TypeVar("T")

Bounds = tuple[tuple[float, float], ...]
"""The lowest and the highest value of each dimension of a map."""

MOST_CELLS, MOST_VORONOI_CELLS, MOST_BEHAVIOURS = 100_000, 4_000, 100
"""Limits of a layout. Centroids take seconds to compute for so many Voronoi cells."""
LARGEST = 1e300
"""Behaviours beyond are taken as this, so that their differences are finite."""
MARGIN = 0.5
"""Learned bounds reach beyond the first behaviours by this share of their range, at either end."""


class BadLayout(ValueError):
    """Data that describe no layout of a map; the message says what was expected."""


@dataclass(frozen=True, slots=True)
class Born(Generic[T]):
    """An individual with an ok outcome: `individual` in any form, its fitness, and its behaviour, finite numbers."""

    individual: T
    fitness: float
    behaviour: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Occupant(Generic[T]):
    """The individual that a cell keeps."""

    cell: int
    individual: T
    fitness: float


@dataclass(frozen=True, slots=True)
class BehaviourMap(Generic[T]):
    """The occupied cells in the order of their numbers. `bounds` are None as long as they are to be learned."""

    bounds: Bounds | None = None
    occupants: tuple[Occupant[T], ...] = ()


@dataclass(frozen=True)
class MapLayout:
    """What decides the cell of a behaviour.

    Attributes:
        behaviours: the components of the behaviour descriptor that are the dimensions of the map, counted from 0.
        bounds: of each dimension; None: they are learned from the first block in which any behaviour is known.
        cells: the cells.
    """

    behaviours: tuple[int, ...]
    bounds: Bounds | None
    cells: Cells

    def empty(self) -> BehaviourMap[Any]:
        """The map before the first birth."""
        return BehaviourMap(self.bounds)

    def chosen(self, descriptor: Sequence[float]) -> tuple[float, ...] | None:
        """The components of a behaviour descriptor that the map uses; None if a component is not finite or lacks."""
        if len(descriptor) <= max(self.behaviours):
            return None
        values = tuple(float(descriptor[component]) for component in self.behaviours)
        return values if np.isfinite(values).all() else None

    def add(self, known: BehaviourMap[T], births: Sequence[Born[T]]) -> BehaviourMap[T]:
        """The map after a block of births, in the order of birth."""
        if not births:
            return known
        points = np.clip(np.array([born.behaviour for born in births], np.float64), -LARGEST, LARGEST)
        bounds = known.bounds or learned_bounds(points)
        by_cell = {occupant.cell: occupant for occupant in known.occupants}
        for born, cell in zip(births, self.cells.at(within(points, bounds)), strict=True):
            before = by_cell.get(cell)
            if before is None or born.fitness > before.fitness:
                by_cell[cell] = Occupant(cell, born.individual, born.fitness)
        return BehaviourMap(bounds, tuple(by_cell[cell] for cell in sorted(by_cell)))

    def data(self) -> dict[str, Any]:
        """The layout as plain data, for the config of a run."""
        division = {"grid": list(self.cells.shape)} if isinstance(self.cells, GridCells) else {}
        return {
            "behaviours": list(self.behaviours),
            "bounds": None if self.bounds is None else [list(pair) for pair in self.bounds],
            **(division or {"voronoi": self.cells.count}),
        }


def within(points: Floats, bounds: Bounds) -> Floats:
    """Points scaled to the unit cube by bounds, `[n, d]`; what is outside is moved to the border."""
    low, high = np.array(bounds, np.float64).T
    return np.asarray(np.clip((points - low) / (high - low), 0.0, 1.0))


def learned_bounds(points: Floats) -> Bounds:
    """The range of n points, `[n, d]`, and `MARGIN` of it beyond at either end. The range of equal values reaches to
    both sides by their size, or by 1 around 0."""
    bounds = []
    for low, high in zip(points.min(0).tolist(), points.max(0).tolist(), strict=True):
        margin = MARGIN * (high - low) or abs(low) or 1.0
        bounds.append((float(low - margin), float(high + margin)))
    return tuple(bounds)


def read_layout(data: Any) -> MapLayout:
    """The layout that `MapLayout.data` returned, which may come from any database.

    Raises:
        BadLayout: the data describe no layout.
    """
    if not isinstance(data, Mapping) or ("grid" in data) == ("voronoi" in data):
        raise BadLayout(f"expected a map with a grid or with voronoi cells, got {data!r:.60}")
    behaviours: Any = data.get("behaviours")
    shape: Any = data.get("grid", [data.get("voronoi")])
    bounds = data.get("bounds")
    if not (_counts(behaviours, 0) and _counts(shape, 1)):
        raise BadLayout(f"expected behaviours and cells of a map as whole numbers, got {data!r:.60}")
    if max(behaviours) >= MOST_BEHAVIOURS or prod(shape) > (MOST_CELLS if "grid" in data else MOST_VORONOI_CELLS):
        raise BadLayout(f"expected at most {MOST_CELLS:,} cells of a map, got {data!r:.60}")
    cells: Cells = GridCells(tuple(shape)) if "grid" in data else VoronoiCells(shape[0], len(behaviours))
    if cells.dimensions != len(behaviours):
        raise BadLayout(f"expected a number of cells for each behaviour of a map, got {data!r:.60}")
    if bounds is not None and not (
        isinstance(bounds, list) and len(bounds) == len(behaviours) and all(map(is_range, bounds))
    ):
        raise BadLayout(f"expected the lowest and the highest value of each behaviour of a map, got {bounds!r:.60}")
    pairs = None if bounds is None else tuple((float(low), float(high)) for low, high in bounds)
    return MapLayout(tuple(behaviours), pairs, cells)


def is_range(value: Any) -> bool:
    """Whether a value is a pair of finite numbers, the lower first."""
    return (
        isinstance(value, list | tuple)
        and len(value) == 2
        and all(type(end) in (int, float) and abs(end) <= LARGEST for end in value)
        and value[0] < value[1]
    )


def _counts(value: Any, least: int) -> bool:
    """Whether a value is a list of a few whole numbers that a map may have."""
    return (
        isinstance(value, list)
        and 0 < len(value) <= MOST_BEHAVIOURS
        and all(type(number) is int and least <= number <= MOST_CELLS for number in value)
    )
