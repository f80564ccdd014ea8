"""Shares of GPUs: every worker finds a place, whatever their numbers."""

import pytest

from germline.evaluators.executors.ray_executor import gpu_share


@pytest.mark.parametrize(
    ("gpus", "workers", "share"),
    [(1, 1, 1.0), (1, 2, 0.5), (2, 3, 0.5), (2, 2, 1.0), (3, 2, 1.0), (1, 3, 0.3333), (8, 60, 0.125), (0, 4, 0.0)],
)
def test_a_gpu_is_divided_among_its_workers(gpus: int, workers: int, share: float) -> None:
    assert gpu_share(gpus, workers) == share


def test_the_shares_of_all_workers_fit() -> None:
    for gpus in range(1, 9):
        for workers in range(1, 130):
            each = round(10_000 * gpu_share(gpus, workers))  # as Ray counts
            assert gpus * (10_000 // each) >= workers
