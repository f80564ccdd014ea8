"""sep-CMA-ES, the numeric search over vectors."""

import numpy as np
import pytest

from germline.search.strategies.sep_cma_es import SMALLEST_STEP, Normal, draw, initial, tell


def minimised(size: int, count: int, generations: int, scale: float) -> Normal:
    """The distribution after a search for the minimum of a quadratic function around 2; `scale` is between its axes."""
    distribution, rng = initial(size, 1.0), np.random.default_rng(0)
    factors = np.geomspace(1.0, scale, size)
    for _ in range(generations):
        points = [draw(distribution, rng) for _ in range(count)]
        points.sort(key=lambda point: float((factors * (np.array(point) - 2.0) ** 2).sum()))
        distribution = tell(distribution, points, count)
    return distribution


@pytest.mark.parametrize(("size", "count", "generations"), [(1, 8, 20), (3, 8, 60), (8, 16, 90)])
def test_it_finds_a_minimum(size: int, count: int, generations: int) -> None:
    assert minimised(size, count, generations, 1.0).mean == pytest.approx([2.0] * size, abs=0.01)


def test_it_learns_the_scales_of_the_axes() -> None:
    found = minimised(4, 16, 80, 1e4)
    assert found.mean == pytest.approx([2.0] * 4, abs=0.01)
    assert found.variances[0] > 100 * found.variances[-1]


def test_points_that_failed_leave_the_rest_to_count() -> None:
    rng = np.random.default_rng(0)
    start = initial(2, 1.0)
    points = [draw(start, rng) for _ in range(8)]
    assert tell(start, points[:1], 8).mean == points[0]
    assert tell(start, points[:5], 8).mean == tell(start, points[:4], 8).mean


def test_a_generation_that_failed_halves_the_step() -> None:
    start = initial(2, 1.0)
    assert tell(start, [], 8) == Normal(start.mean, 0.5, start.variances, start.step_path, start.variance_path)
    assert tell(initial(2, SMALLEST_STEP), [], 8).step == SMALLEST_STEP
