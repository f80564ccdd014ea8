"""Trainings that each strategy needs on NAS-Bench-201's table, over 25 seeds.

A training is an evaluation; cache hits are none. The value of a row is the mean number of trainings until the
validation accuracy (mean over the table's seeds) reaches the goal, 91.5 % on CIFAR-10; a run that never does counts
with its budget. The baseline is random search, over the same seeds in the same run.

The second kind of row is the hypervolume of error and size (errors up to `WORST`, networks up to `LARGEST`, both scaled
to 0..1): how many trainings the mean of a strategy needs to reach the mean of EEEA-Net's published loop after 550 of
its own.

Takes a few minutes, so `make bench` leaves it out: `python tests/benchmarks/run.py nb201`.
"""

from collections.abc import Iterable, Sequence
from statistics import fmean

import numpy as np

from germline.evaluators.evaluator import EvaluatorSpec
from germline.evaluators.executors.inline_executor import InlineExecutor
from germline.evaluators.outcome import Outcome
from germline.evaluators.tasks.registry import task_class
from germline.search import pareto
from germline.search.fold import ScoreKey
from germline.search.individual import Individual, Scored
from germline.search.kinds import KINDS
from germline.search.loop import Search

SEEDS = range(25)
BUDGET = 300
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


class Notes:
    """A journal in memory: what was scored, in order."""

    def __init__(self) -> None:
        self.scored: list[Scored] = []

    def births(self) -> Iterable[Individual]:
        return ()

    def outcomes(self) -> Iterable[tuple[ScoreKey, Outcome]]:
        return ()

    def record_births(self, individuals: Sequence[Individual]) -> None: ...

    def record_outcomes(self, scored: Sequence[Scored], rung: int, seed: int) -> None:
        self.scored += scored


def trainings(task: str, settings: Sequence[str], seed: int, budget: int = BUDGET) -> list[Scored]:
    """What a search scored, in order, until its budget of trainings."""
    kind = KINDS["architecture"]
    prepared = kind.prepare(kind.resolve(kind.presets["nb201"].values, settings), task_class(task))
    space, notes = kind.space(prepared), Notes()
    executor = InlineExecutor(EvaluatorSpec("architecture", task, seed, "cpu", kind.evaluator_options(prepared)))
    search = Search(space, kind.strategy(prepared, space), executor, notes, kind.loop_settings(prepared, seed))
    for _ in search.events(evaluations=budget, births=40 * budget):
        pass
    return notes.scored[:budget]


def accuracies(scored: Sequence[Scored]) -> np.ndarray:
    return np.maximum.accumulate([100 + (one.fitness if one.fitness is not None else -100.0) for one in scored])


def until(best: np.ndarray, goal: float, budget: int) -> int:
    """Trainings until the goal; the budget if it is not reached, also where a search ran out of new cells before."""
    reached = np.flatnonzero(best >= goal)
    return int(reached[0]) + 1 if len(reached) else budget


def volume(task: str, scored: Sequence[Scored]) -> float:
    good = [one.outcome.objectives for one in scored if one.fitness is not None]
    points = np.array([[one["validation_error"], one["params"]] for one in good])
    return pareto.hypervolume(points / (WORST[task], LARGEST), np.ones(2))


def summary(runs: Sequence[list[Scored]], goal: float, budget: int) -> dict[str, float]:
    best = [accuracies(run) for run in runs]
    at = {f"best at {n}": fmean(float(run[min(n, len(run)) - 1]) for run in best) for n in (50, 100, 150, 300, 550)}
    reached = fmean(until(run, goal, budget) for run in best)
    return {"trainings": reached, "seeds there": sum(bool((run >= goal).any()) for run in best), **at}


def volume_reached(task: str, runs: Sequence[list[Scored]], wanted: float) -> int | None:
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


def rows() -> list[dict[str, object]]:
    return [row for task in GOALS for row in of_task(task)]
