"""What all tests share: one torch thread, and one Ray for the tests that need it."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

torch.set_num_threads(1)
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # started in the background by a shell; children inherit it
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that use Ray are slow, and all of them run in one test process, so that Ray starts once."""
    for item in items:
        if "local_ray" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.slow)
            item.add_marker(pytest.mark.xdist_group("ray"))


@pytest.fixture(scope="session")
def local_ray() -> Iterator[None]:
    """Ray on this machine with cores for two workers, started once for the whole session."""
    import ray

    from germline.evaluators.executors.ray_start import start_local

    with pytest.MonkeyPatch.context() as patch:
        paths = [str(Path(__file__).parent / "helpers"), os.environ.get("PYTHONPATH", "")]
        patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, paths)))  # workers import helpers too
        guard = start_local(workers=2)
    yield
    ray.shutdown()
    guard.end()
