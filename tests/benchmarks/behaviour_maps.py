"""What strategies leave on a map of behaviours: MAP-Elites, novelty, the Deep GA and random search at equal births.

All have the network and the σ of the preset `maze`, and the same 20 by 20 grid of final positions, on which runs
without a map are placed afterwards. Runs do not end when the maze is solved. The offset of the QD score is the lowest
fitness of all runs.

Takes about five minutes on one core, so `make bench` leaves it out: `python tests/benchmarks/run.py behaviour-maps`.
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
STRATEGIES = ("map-elites", "novelty", "truncation", "random")


@dataclass(frozen=True)
class Result:
    """Means over seeds, with standard deviations, and the number of runs that solved the maze."""

    coverage: tuple[float, float]
    score: tuple[float, float]
    best: tuple[float, float]
    solved: int


def searched(store: Store, strategy: str, seed: int) -> None:
    new_run(
        store,
        "policy",
        preset="maze",
        settings=(f"strategy={strategy}",),
        seed=seed,
        births=BIRTHS,
        name=f"{strategy}-{seed}",
    )
    for _ in evolve(store, f"{strategy}-{seed}", executor="inline", device="cpu"):
        pass


def on_map(store: Store, strategy: str, seed: int) -> MappedRun:
    """A run on the map of the runs of MAP-Elites."""
    layout = layout_of(store.run(f"map-elites-{SEEDS[0]}"))
    assert layout is not None
    scores = store.scores(f"{strategy}-{seed}", "")
    return run_on_map(store, scores.run, complete_blocks(scores, winners(store, scores.run.name)), layout)


def spread(values: list[float]) -> tuple[float, float]:
    return fmean(values), stdev(values)


def results() -> tuple[dict[str, Result], float]:
    """The result of each strategy, and the offset of the QD scores."""
    with tempfile.TemporaryDirectory() as folder, Store(str(Path(folder) / "runs.db")) as store:
        for strategy in STRATEGIES:
            for seed in SEEDS:
                searched(store, strategy, seed)
        runs = {strategy: [on_map(store, strategy, seed) for seed in SEEDS] for strategy in STRATEGIES}
    fitness = {
        strategy: [
            [birth.fitness for block in run.blocks for birth in block if birth.fitness is not None] for run in of
        ]
        for strategy, of in runs.items()
    }
    offset = min(min(each) for of in fitness.values() for each in of)
    maps = {strategy: [(run, run.last_map()) for run in of] for strategy, of in runs.items()}
    return {
        strategy: Result(
            spread([run.coverage(known) for run, known in of]),
            spread([qd_score(known, offset) for _, known in of]),
            spread([max(each) for each in fitness[strategy]]),
            sum(max(each) > SOLVED for each in fitness[strategy]),
        )
        for strategy, of in maps.items()
    }, offset


def rows() -> list[dict[str, object]]:
    by_strategy, offset = results()
    print(f"hard-maze, {BIRTHS:,} births, {len(SEEDS)} seeds, mean and standard deviation, QD offset {offset:.1f}")
    for strategy, result in by_strategy.items():
        print(
            f"{strategy}: coverage {result.coverage[0]:.3f} ± {result.coverage[1]:.3f}, "
            f"QD score {result.score[0]:,.0f} ± {result.score[1]:,.0f}, "
            f"best {result.best[0]:.1f} ± {result.best[1]:.1f}, solved {result.solved}"
        )
    return [
        {
            "name": f"behaviour-maps/{strategy}/{BIRTHS}",
            "value": result.score[0],
            "unit": "QD score",
            "baseline": "random search",
            "ratio": result.score[0] / by_strategy["random"].score[0],
        }
        for strategy, result in by_strategy.items()
    ]
