"""Trainings that each strategy needs on NAS-Bench-201's table, over 25 seeds.

A training is an evaluation; cache hits are none. The value of a row is the mean number of trainings until the
validation accuracy (mean over the table's seeds) reaches the goal, 91.5 % on CIFAR-10; a run that never does counts
with its budget. The baseline is random search, over the same seeds in the same run.

Another kind of row is the number of trainings of local search until the best cell of the table.

The third kind of row is the hypervolume of error and size (errors up to `WORST`, networks up to `LARGEST`, both scaled
to 0..1): how many trainings the mean of a strategy needs to reach the mean of EEEA-Net's published loop after 550 of
its own.

Takes a few minutes, so `make bench` leaves it out: `python tests/benchmarks/run.py nb201`.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean, median

import numpy as np

from germline.db.records import EvaluationRecord
from germline.db.store import Store
from germline.evaluators.tasks.registry import task_class
from germline.search import pareto
from germline.search.run import evolve, new_run

SEEDS = range(25)
BUDGET = 300
OPTIMUM_BUDGET = 2_000
"""The most trainings of a search for the best cell of the table."""
CELLS = 15_625
EEEA = ("strategy=eeea", "pool=1", "population=40", "objectives=validation_error,params,macs")
EEEA_TRAININGS = 1_084
"""The trainings of thirty generations: 40 in the first, 36 in each of the others."""
COMPARED_AT = 550
WORST = {"nb201-cifar10": 50.0, "nb201-cifar100": 80.0, "nb201-imagenet16": 90.0}
LARGEST = 1.6e6
"""The reference point of the hypervolume: `WORST`, in percent of error, and `LARGEST`, in parameters. No network of the
table is larger, few are worse."""
WAYS = {
    "local": (),
    "aging": ("strategy=aging", "pool=1", "population=50", "tournament=25"),
    "pareto-local": ("strategy=pareto-local", "pool=1"),
    "nsga2": ("strategy=nsga2", "pool=1", "population=20", "block=20"),
    "random": ("strategy=random", "pool=1"),
}
GOALS = {"nb201-cifar10": 91.5, "nb201-cifar100": 73.0, "nb201-imagenet16": 46.3}


def trainings(task: str, settings: Sequence[str], seed: int, budget: int = BUDGET) -> list[EvaluationRecord]:
    """The outcomes of a search, in order, until its budget of trainings."""
    budgets = {"evaluations": budget, "births": 40 * budget}
    with tempfile.TemporaryDirectory() as folder, Store(str(Path(folder) / "runs.db")) as store:
        run = new_run(store, "architecture", task=task, preset="nb201", settings=settings, seed=seed, **budgets)
        for _ in evolve(store, run.name, executor="inline", device="cpu"):
            pass
        return list(store.evaluations(run.id))[:budget]


def accuracies(scored: Sequence[EvaluationRecord]) -> np.ndarray:
    return np.maximum.accumulate([100 + (one.fitness if one.fitness is not None else -100.0) for one in scored])


def until(best: np.ndarray, goal: float, budget: int) -> int:
    """Trainings until the goal; the budget if it is not reached, also where a search ran out of new cells before."""
    reached = np.flatnonzero(best >= goal)
    return int(reached[0]) + 1 if len(reached) else budget


def volume(task: str, scored: Sequence[EvaluationRecord]) -> float:
    good = [one.objectives for one in scored if one.fitness is not None]
    points = np.array([[one["validation_error"], one["params"]] for one in good])
    return pareto.hypervolume(points / (WORST[task], LARGEST), np.ones(2))


def summary(runs: Sequence[list[EvaluationRecord]], goal: float, budget: int) -> dict[str, float]:
    best = [accuracies(run) for run in runs]
    at = {f"best at {n}": fmean(float(run[min(n, len(run)) - 1]) for run in best) for n in (50, 100, 150, 300, 550)}
    reached = fmean(until(run, goal, budget) for run in best)
    return {"trainings": reached, "seeds there": sum(bool((run >= goal).any()) for run in best), **at}


def volume_reached(task: str, runs: Sequence[list[EvaluationRecord]], wanted: float) -> int | None:
    """After how many trainings, in steps of ten, the mean hypervolume is as large as wanted; None: never."""
    steps = range(10, BUDGET + 1, 10)
    return next((n for n in steps if fmean(volume(task, run[:n]) for run in runs) >= wanted), None)


def of_task(task: str, seeds: Sequence[int] = SEEDS) -> list[dict[str, object]]:
    found = {way: [trainings(task, settings, seed) for seed in seeds] for way, settings in WAYS.items()}
    found["eeea"] = [trainings(task, EEEA, seed, EEEA_TRAININGS) for seed in seeds]
    goal = GOALS[task]
    told = {way: summary(runs, goal, EEEA_TRAININGS if way == "eeea" else BUDGET) for way, runs in found.items()}
    wanted = fmean(volume(task, run[:COMPARED_AT]) for run in found["eeea"])
    table: list[dict[str, object]] = []
    for way, one in told.items():
        print(f"{task} {way:<13}" + "  ".join(f"{name} {value:.2f}" for name, value in one.items()), flush=True)
        ratio = told["random"]["trainings"] / one["trainings"]
        row = {"name": f"{task}/{way}", "value": one["trainings"], "unit": f"trainings to {goal} %"}
        table.append({**row, "baseline": "random search", "ratio": ratio})
    for way in ("pareto-local", "nsga2", "random"):
        at = {n: fmean(volume(task, run[:n]) for run in found[way]) for n in (100, 150, 200, 250, 300)}
        volumes = "  ".join(f"{n}: {mean:.5f}" for n, mean in at.items())
        reached = volume_reached(task, found[way], wanted)
        print(f"{task} {way:<13}hypervolume {volumes}; {wanted:.5f} reached at {reached}", flush=True)
        if reached:
            row = {"name": f"{task}/{way}/hypervolume", "value": reached, "unit": f"trainings to {wanted:.4f}"}
            table.append({**row, "baseline": "EEEA-Net's loop, 550", "ratio": COMPARED_AT / reached})
    return table


def until_optimum(task: str, settings: Sequence[str], seed: int, highest: float) -> int:
    """Trainings of a search until a cell has the validation accuracy `highest`, in percent; its budget if none has."""
    budgets = {"evaluations": OPTIMUM_BUDGET, "births": 40 * OPTIMUM_BUDGET}
    with tempfile.TemporaryDirectory() as folder, Store(str(Path(folder) / "runs.db")) as store:
        run = new_run(store, "architecture", task=task, preset="nb201", settings=settings, seed=seed, **budgets)
        for progress in evolve(store, run.name, executor="inline", device="cpu"):
            best = progress.best
            if best is not None and best.fitness is not None and 100 + best.fitness >= highest - 1e-6:
                break
        return until(accuracies(list(store.evaluations(run.id))), highest - 1e-6, OPTIMUM_BUDGET)


def optimum_of_task(task: str, seeds: Sequence[int] = SEEDS) -> list[dict[str, object]]:
    """Trainings of local search until the cell of the table with the highest validation accuracy. Its random cells are
    the largest of 20, as the preset has it, or drawn without regard to their size."""
    highest = 100 - float(task_class(task)("cpu")._error.min())
    table: list[dict[str, object]] = []
    for way, settings in {"local": (), "local without size": ("pool=1",)}.items():
        counts = [until_optimum(task, settings, seed, highest) for seed in seeds]
        print(
            f"{task} {way}: mean {fmean(counts):.0f}, median {median(counts):.0f}, {min(counts)} to {max(counts)} "
            f"trainings to {highest:.2f} %; {sum(count <= BUDGET for count in counts)} of {len(counts)} seeds within "
            f"{BUDGET}, {sum(count >= OPTIMUM_BUDGET for count in counts)} not within {OPTIMUM_BUDGET}",
            flush=True,
        )
        row = {"name": f"{task}/{way}/optimum", "value": fmean(counts), "unit": "trainings to the optimum"}
        table.append({**row, "baseline": "all cells of the table", "ratio": CELLS / fmean(counts)})
    return table


def rows() -> list[dict[str, object]]:
    return [row for task in GOALS for part in (optimum_of_task, of_task) for row in part(task)]
