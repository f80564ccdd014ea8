"""What strategies leave on a map of behaviours: MAP-Elites, novelty, the Deep GA and random search at equal births.

All have the network of the preset `maze`, its σ of 0.05 and 250 births a generation or what their name says, and the
same 20 by 20 grid of final positions, on which runs without a map are placed afterwards. Runs do not end when the maze
is solved. The offset of the QD score is the lowest fitness of all runs.

Takes about three minutes on one core, so `make bench` leaves it out: `python tests/benchmarks/run.py behaviour-maps`.
"""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev

from germline.db.store import Store
from germline.evaluators.tasks.hard_maze import SOLVED
from germline.search.analysis.learning_curve import complete_blocks
from germline.search.analysis.map_scores import MappedRun, layout_of, qd_score, run_on_map
from germline.search.run import evolve, new_run
from germline.search.winner import winners

BIRTHS = 4_000
SEEDS = (1, 2, 3, 4, 5)
WAYS: dict[str, tuple[str, ...]] = {
    "map-elites": ("strategy=map-elites",),
    "map-elites-0.2": ("strategy=map-elites", "sigma=0.2"),
    "map-elites-of-50": ("strategy=map-elites", "population=50"),
    "novelty": (),
    "novelty-0.2": ("sigma=0.2",),
    "novelty-of-50": ("population=50",),
    "truncation": ("strategy=truncation",),
    "random": ("strategy=random",),
}


@dataclass(frozen=True)
class Result:
    """Means over seeds, with standard deviations, and the number of runs that solved the maze."""

    coverage: tuple[float, float]
    score: tuple[float, float]
    best: tuple[float, float]
    solved: int


def search(store: Store, way: str, seed: int) -> None:
    run = new_run(store, "policy", preset="maze", settings=WAYS[way], seed=seed, births=BIRTHS, name=f"{way}-{seed}")
    for _ in evolve(store, run.name, executor="inline", device="cpu"):
        pass


def on_map(store: Store, way: str, seed: int) -> MappedRun:
    """A run on the map of the runs of MAP-Elites."""
    layout = layout_of(store.run(f"map-elites-{SEEDS[0]}"))
    assert layout is not None
    scores = store.scores(f"{way}-{seed}", "")
    return run_on_map(store, scores.run, complete_blocks(scores, winners(store, scores.run.name)), layout)


def spread(values: list[float]) -> tuple[float, float]:
    return fmean(values), stdev(values)


def results() -> tuple[dict[str, Result], float]:
    """The result of each way, and the offset of the QD scores."""
    with tempfile.TemporaryDirectory() as folder, Store(str(Path(folder) / "runs.db")) as store:
        for way in WAYS:
            for seed in SEEDS:
                search(store, way, seed)
        runs = {way: [on_map(store, way, seed) for seed in SEEDS] for way in WAYS}
    fitness = {
        way: [[birth.fitness for block in run.blocks for birth in block if birth.fitness is not None] for run in of]
        for way, of in runs.items()
    }
    offset = min(min(each) for of in fitness.values() for each in of)
    maps = {way: [(run, run.last_map()) for run in of] for way, of in runs.items()}
    return {
        way: Result(
            spread([run.coverage(known) for run, known in of]),
            spread([qd_score(known, offset) for _, known in of]),
            spread([max(each) for each in fitness[way]]),
            sum(max(each) > SOLVED for each in fitness[way]),
        )
        for way, of in maps.items()
    }, offset


def rows() -> list[dict[str, object]]:
    by_way, offset = results()
    print(f"hard-maze, {BIRTHS:,} births, {len(SEEDS)} seeds, mean and standard deviation, QD offset {offset:.1f}")
    for way, result in by_way.items():
        print(
            f"{way}: coverage {result.coverage[0]:.3f} ± {result.coverage[1]:.3f}, "
            f"QD score {result.score[0]:,.0f} ± {result.score[1]:,.0f}, "
            f"best {result.best[0]:.1f} ± {result.best[1]:.1f}, solved {result.solved}"
        )
    return [
        {
            "name": f"behaviour-maps/{way}/{BIRTHS}",
            "value": result.score[0],
            "unit": "QD score",
            "baseline": "random search",
            "ratio": result.score[0] / by_way["random"].score[0],
        }
        for way, result in by_way.items()
    ]
