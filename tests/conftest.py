"""What all tests share: one torch thread, and one Ray for those that need it."""

from collections.abc import Iterator

import pytest
import torch

torch.set_num_threads(1)


@pytest.fixture(scope="session")
def local_ray() -> Iterator[None]:
    """A Ray of this machine with two workers' worth of cores, started once for the whole session."""
    import ray

    from germline.evaluators.executors.ray_executor import start

    start(workers=2, address=None)
    yield
    ray.shutdown()
