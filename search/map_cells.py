"""Cells of a map of behaviours: a grid, or a centroidal Voronoi tessellation (Vassiliades, Chatzilygeroudis and Mouret
2018), whose number of cells does not grow with the number of dimensions.

Both divide the unit cube, to which behaviours are scaled by the bounds of the map. All sums are in a fixed order, so
that a behaviour has the same cell on every machine.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from math import prod
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

SEED = 1507
"""Of the samples from which centroids are computed: one tessellation for all runs with as many cells and dimensions."""
SAMPLES_PER_CELL, ROUNDS = 10, 10
"""Uniform samples for each centroid, and rounds of Lloyd's algorithm."""


class Cells(Protocol):
    """A division of the unit cube into numbered cells."""

    @property
    def count(self) -> int:
        """The number of cells."""
        ...

    @property
    def dimensions(self) -> int:
        """The number d of dimensions of the cube."""
        ...

    def at(self, points: Floats) -> list[int]:
        """The cell of each of n points of the unit cube, `[n, d]`, from 0."""
        ...


@dataclass(frozen=True, slots=True)
class GridCells:
    """Equal boxes, numbered with the last dimension running fastest.

    Args:
        shape: number of cells along each dimension.
    """

    shape: tuple[int, ...]

    @property
    def count(self) -> int:
        return prod(self.shape)

    @property
    def dimensions(self) -> int:
        return len(self.shape)

    def at(self, points: Floats) -> list[int]:
        places = np.minimum((points * np.array(self.shape)).astype(np.int64), np.array(self.shape) - 1)
        numbers = np.zeros(len(points), np.int64)
        for axis, length in enumerate(self.shape):
            numbers = numbers * length + places[:, axis]
        return [int(number) for number in numbers]


@dataclass(frozen=True, slots=True)
class VoronoiCells:
    """The points that are nearest to each of `count` centroids; of equally near centroids the first counts."""

    count: int
    dimensions: int

    @property
    def centroids(self) -> Floats:
        """The centroids, `[count, dimensions]`; computed at the first use."""
        return centroids(self.count, self.dimensions)

    def at(self, points: Floats) -> list[int]:
        return [int(number) for number in nearest(points, self.centroids)]


@cache
def centroids(count: int, dimensions: int) -> Floats:
    """Centroids that spread evenly over the unit cube, `[count, dimensions]`: k-means of uniform samples."""
    samples = np.random.default_rng(SEED).random((SAMPLES_PER_CELL * count, dimensions))
    centres = samples[:count].copy()
    for _ in range(ROUNDS):
        owners = nearest(samples, centres)
        sizes = np.bincount(owners, minlength=count)
        for axis in range(dimensions):
            sums = np.bincount(owners, samples[:, axis], count)
            centres[:, axis] = np.where(sizes > 0, sums / np.maximum(sizes, 1), centres[:, axis])
    return centres


def nearest(points: Floats, centres: Floats) -> NDArray[np.int64]:
    """The index of the centre that is nearest to each of n points, `[n]`; of equals the first."""
    from germline.search.nearest_centres import nearest_centres  # the compiler takes a second to load

    return np.asarray(nearest_centres(np.ascontiguousarray(points), centres), np.int64)


def edges(shape: Sequence[int], bounds: Sequence[tuple[float, float]]) -> list[Floats]:
    """The borders of the cells of a grid along each dimension, in the numbers of the behaviour."""
    return [np.linspace(low, high, length + 1) for length, (low, high) in zip(shape, bounds, strict=True)]
