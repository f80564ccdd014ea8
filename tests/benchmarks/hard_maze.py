"""Whether novelty leaves the trap of the deceptive Hard Maze: three strategies at equal births, over seeds.

`novelty` is the preset `maze`. `truncation` is the Deep GA with the same network, population and parents, at three
sigmas, and `random` draws each policy afresh; their fitness is how near the goal a policy ends. A run ends with the
first policy that is within 5 units of the goal. The dead end below the goal is 38 from it.

Takes about fifteen minutes on one core, so `make bench` leaves it out: `python tests/benchmarks/run.py hard-maze`.
"""

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, median

from germline.db.store import Store
from germline.evaluators.tasks.hard_maze import SOLVED
from germline.search.run import evolve, new_run

BIRTHS = 20_000
SEEDS = (1, 2, 3, 4, 5)
WAYS: dict[str, tuple[str, ...]] = {
    "novelty": (),
    "truncation-0.05": ("strategy=truncation", "sigma=0.05"),
    "truncation-0.1": ("strategy=truncation", "sigma=0.1"),
    "truncation-0.2": ("strategy=truncation", "sigma=0.2"),
    "random": ("strategy=random",),
}


@dataclass(frozen=True)
class Found:
    """How far from the goal the best policy of a run ends, which birth it is, and births and seconds of the run."""

    distance: float
    birth: int
    births: int
    seconds: float

    @property
    def solved(self) -> bool:
        return -self.distance > SOLVED


def found(settings: tuple[str, ...], seed: int, births: int = BIRTHS, task: str = "hard-maze") -> Found:
    """The result of a run, which ends when the maze is solved or after `births`."""
    with tempfile.TemporaryDirectory() as folder, Store(str(Path(folder) / "runs.db")) as store:
        run = new_run(store, "policy", task=task, preset="maze", settings=settings, seed=seed, births=births)
        began = time.perf_counter()
        for progress in evolve(store, run.name, executor="inline", device="cpu"):
            best = progress.best
            if best is not None and best.fitness is not None and best.fitness > SOLVED:
                break
        assert best is not None and best.fitness is not None
        return Found(-best.fitness, best.individual.birth, progress.births, time.perf_counter() - began)


def told(way: str, runs: list[Found]) -> None:
    births = [one.birth + 1 for one in runs if one.solved]
    print(
        f"{way}: solved {len(births)} of {len(runs)}, births to the solution {births}, "
        f"median {median(births):,.0f}," if births else f"{way}: solved 0 of {len(runs)},",
        f"distance {[round(one.distance, 1) for one in runs]}, {sum(one.seconds for one in runs):.0f} s,",
        f"{1_000 * sum(one.seconds for one in runs) / sum(one.births for one in runs):.2f} ms a birth",
    )  # fmt: skip


def rows() -> list[dict[str, object]]:
    results = {}
    for way, settings in WAYS.items():
        results[way] = [found(settings, seed) for seed in SEEDS]
        told(way, results[way])
    distances = {way: fmean(one.distance for one in runs) for way, runs in results.items()}
    return [
        {
            "name": f"hard-maze/{way}/{BIRTHS}",
            "value": sum(one.solved for one in runs),
            "unit": f"of {len(runs)} seeds solved",
            "baseline": "random search: how near the goal",
            "ratio": distances["random"] / distances[way],
        }
        for way, runs in results.items()
    ]
