"""Cells of maps: grids, and Voronoi cells that are the same everywhere."""

from hashlib import sha256

import numpy as np
import pytest

from germline.search.map_cells import GridCells, VoronoiCells, centroids, edges


def test_the_last_dimension_of_a_grid_runs_fastest_and_borders_belong_to_the_cell_above() -> None:
    grid = GridCells((2, 4))
    points = [(0.0, 0.0), (0.0, 0.25), (0.49, 0.999), (0.5, 0.0), (1.0, 1.0), (0.2, 0.5)]
    assert (grid.count, grid.dimensions) == (8, 2)
    assert grid.at(np.array(points)) == [0, 1, 3, 4, 7, 2]


def test_each_cell_of_a_grid_has_the_place_that_its_edges_say() -> None:
    shape, bounds = (3, 2, 5), ((-1.0, 2.0), (0.0, 0.1), (5.0, 9.0))
    borders = edges(shape, bounds)
    middles = np.meshgrid(*((low[1:] + low[:-1]) / 2 for low in borders), indexing="ij")
    points = np.stack([axis.ravel() for axis in middles], 1)
    low, high = np.array(bounds).T
    assert GridCells(shape).at((points - low) / (high - low)) == list(range(30))


@pytest.mark.slow
def test_a_voronoi_cell_has_the_points_nearest_to_its_centroid() -> None:
    cells = VoronoiCells(30, 4)
    points = np.random.default_rng(2).random((200, 4))
    nearest = np.linalg.norm(points[:, None] - cells.centroids, axis=2).argmin(1)
    assert cells.at(points) == nearest.tolist()
    assert cells.at(cells.centroids) == list(range(30))


@pytest.mark.slow
def test_centroids_are_near_the_means_of_their_cells_and_so_spread_evenly() -> None:
    cells = VoronoiCells(25, 2)
    points = np.random.default_rng(3).random((20_000, 2))
    owners = np.array(cells.at(points))
    means = np.stack([points[owners == cell].mean(0) for cell in range(25)])
    assert np.linalg.norm(means - cells.centroids, axis=1).max() < 0.06  # a cell is about 0.2 wide
    sizes = np.bincount(owners, minlength=25) / len(points)
    assert sizes.min() > 0.5 / 25 and sizes.max() < 2 / 25


@pytest.mark.slow
def test_centroids_are_the_same_in_every_version_and_on_every_machine() -> None:
    assert sha256(centroids(20, 3).tobytes()).hexdigest()[:16] == "76ce12a199dcc8e7"
