"""Evolution strategies, the Deep GA and random search for policies at equal frames: median and range over five seeds.

All have the same network, population, reviews and σ. Of four pairs of σ and `rate` that were tried with `openai-es` on
LunarLander and another seed these were the best; nothing was tried with the other strategies, or on other tasks. A
run's result is the mean return of its winner in fresh episodes, whose frames do not count.

Takes about ten minutes on one core, so `make bench` leaves it out:
`python tests/benchmarks/run.py evolution-strategies`.
"""

import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from statistics import fmean, median

from germline.db.store import Store
from germline.search.policy_rungs import TEST
from germline.search.run import evolve, new_run

SEEDS = (1, 2, 3, 4, 5)
FRAMES = {"gym:CartPole-v1": 50_000, "gym:LunarLander-v3": 200_000, "gym:InvertedDoublePendulum-v5": 50_000}
COMMON = ("population=50", "sigma=0.1", "candidates=3", "review_episodes=10", "test_episodes=100")
WAYS: dict[str, tuple[str, ...]] = {
    "openai-es": ("strategy=openai-es", "rate=0.05"),
    "openai-es-rank-1": ("strategy=openai-es", "rate=0.05", "rank=1"),
    "sep-cma-es": ("strategy=sep-cma-es",),
    "truncation": ("strategy=truncation",),
    "random": ("strategy=random",),
}


def result(task: str, settings: Iterable[str], seed: int, frames: int) -> float:
    """The mean return of the winner of a run in its test."""
    with tempfile.TemporaryDirectory() as folder, Store(str(Path(folder) / "runs.db")) as store:
        run = new_run(store, "policy", task=task, settings=[*COMMON, *settings], seed=seed, frames=frames)
        for _ in evolve(store, run.name, executor="inline", device="cpu"):
            pass
        (test,) = [each.fitness for each in store.evaluations(run.id) if each.rung == TEST]
        assert test is not None
        return test


def results(task: str, way: str) -> list[float]:
    """The results of a way, seed by seed, which are printed."""
    began = time.process_time()
    values = [result(task, WAYS[way], seed, FRAMES[task]) for seed in SEEDS]
    print(
        f"{task} {way}: median {median(values):.1f}, from {min(values):.1f} to {max(values):.1f}, "
        f"{[round(value, 1) for value in values]}, {time.process_time() - began:.0f} s of CPU",
        flush=True,
    )
    return values


def rows() -> list[dict[str, object]]:
    found = []
    for task in FRAMES:
        by_way = {way: results(task, way) for way in WAYS}
        found += [
            {
                "name": f"evolution-strategies/{task}/{way}/{FRAMES[task]}",
                "value": median(by_way[way]),
                "unit": f"return, median of {len(SEEDS)} seeds",
                "baseline": "truncation: share of pairs of runs in which it is worse",
                "ratio": fmean(mine > other for mine in by_way[way] for other in by_way["truncation"]),
            }
            for way in WAYS
        ]
    return found
