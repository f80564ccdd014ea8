"""Whether the quick preset's operators find more: three ways to search, at equal evaluations and training, over seeds.

`quick` is the preset; `paper` has the paper's operators, population and tournament; `constants` only tunes the start
program. All three train each candidate for the same lengths. What each found is trained again with fresh seeds, on
weights and batches that no search has seen, at the search's lengths and at ten times the rung.

Takes about ten minutes on one core, so `make bench` leaves it out: `python tests/benchmarks/run.py strategies`.
"""

import tempfile
from pathlib import Path
from statistics import fmean, median

import numpy as np

from germline.db.store import Store
from germline.evaluators.optimizer.trainer import train
from germline.evaluators.task import Rung
from germline.evaluators.tasks.registry import task_class
from germline.programs.optimizer import Program, library, parse
from germline.search.run import evolve, new_run

EVALUATIONS = 1_000
SEEDS = (1, 2, 3)
FRESH = 6
PAPER = ("operators=insert:1,delete:1,modify:1", "warmup=0", "litter=1", "population=1000", "tournament=2")
WAYS = {"quick": (), "paper": (*PAPER, "review_every=0"), "constants": ("strategy=constants", "review_every=0")}


def found(way: str, seed: int) -> tuple[float, Program]:
    """The best fitness of a search, and the program."""
    with tempfile.TemporaryDirectory() as folder, Store(str(Path(folder) / "runs.db")) as store:
        run = new_run(store, preset="quick", settings=WAYS[way], seed=seed, evaluations=EVALUATIONS)
        *_, last = evolve(store, run.name)
        assert last.best is not None and last.best.fitness is not None
        return last.best.fitness, parse(last.best.individual.genome)


def fresh_losses(programs: list[Program], steps: int, split: str) -> np.ndarray:
    """Mean loss of each program over fresh seeds; a diverged training counts as a guess over ten classes."""
    task = task_class("digits-mlp")("cpu")
    losses = []
    for seed in range(FRESH):
        trained = train(task, programs, Rung(steps, 64), (987_654, seed, steps), split=split)  # type: ignore[arg-type]
        losses.append([one.measures["loss"] if one.measures else np.log(10.0) for one in trained])
    return np.mean(losses, axis=0)


def rows() -> list[dict[str, object]]:
    results = {way: [found(way, seed) for seed in SEEDS] for way in WAYS}
    programs = [program for pairs in results.values() for _, program in pairs]
    programs.append(parse(library()["adamw_plain"]))
    columns = [(steps, split) for split in ("validation", "heldout") for steps in (100, 600, 2_000)]
    losses = {column: fresh_losses(programs, *column) for column in columns}
    table = []
    for number, (way, pairs) in enumerate([*results.items(), ("start", [(0.0, programs[-1])])]):
        own = slice(number * len(SEEDS), number * len(SEEDS) + len(pairs))
        means = {f"{split} {steps}": round(fmean(losses[steps, split][own].tolist()), 4) for steps, split in columns}
        print(way, "fitness", [round(fitness, 4) for fitness, _ in pairs], "fresh seeds, mean loss:", means)
        table.append((way, median(fitness for fitness, _ in pairs)))
    paper = dict(table)["paper"]
    return [
        {
            "name": f"strategies/{way}/{EVALUATIONS}",
            "value": 1_000 * -fitness,
            "unit": "validation loss x 1000",
            "baseline": "the paper's operators, as many evaluations",
            "ratio": paper / fitness,
        }
        for way, fitness in table
        if fitness
    ]
