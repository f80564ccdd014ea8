"""Compiles the Numba functions of each kind for the cache on disk, so that test processes need not do it twice."""

from pathlib import Path
from tempfile import TemporaryDirectory

from germline.db.store import Store
from germline.search.run import evolve, new_run

SEARCHES = {
    "optimizer": ("population=4", "lengths=0.05", "warmup=0"),
    "architecture": ("population=2", "block=2", "pack=2"),
    "policy": ("population=4", "candidates=2", "review_episodes=2", "test_episodes=2", "steps=20"),
}
"""Settings of a search of each kind that takes a second when everything is compiled."""

with TemporaryDirectory() as folder, Store(str(Path(folder) / "runs.db")) as store:
    for kind, settings in SEARCHES.items():
        run = new_run(store, kind, settings=settings, births=2)
        for _ in evolve(store, run.name, executor="inline", device="cpu"):
            pass
