"""Small real searches for the tests."""

from collections.abc import Callable
from pathlib import Path

import pytest

from germline.db.records import RunRecord
from germline.db.store import Store
from germline.search.run import new_run

SMALL = (
    "population=20",
    "block=16",
    "pack=4",
    "lengths=0.05,0.1",
    "warmup=20",
    "litter=2",
    "review_every=0",
)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path / "runs.db"))


@pytest.fixture
def small_run(store: Store) -> Callable[..., RunRecord]:
    """Creates a run of a few seconds."""

    def create(*settings: str, births: int = 80, seed: int = 1, target: Store = store, **options: str) -> RunRecord:
        return new_run(target, settings=(*SMALL, *settings), births=births, seed=seed, **options)

    return create
