"""How many trainings does a search need? NAS-Bench-201's table, every strategy over 25 seeds.

A training is an evaluation that no earlier birth has paid for. The value of a row is the mean number of trainings until
the validation accuracy (mean over the table's seeds) reaches 91.5 % on CIFAR-10; a run that never does counts with its
budget. The baseline is random search, over the same seeds in the same run.

Takes a few minutes, so `make bench` leaves it out: `python tests/benchmarks/run.py nb201`.
"""

from collections.abc import Iterable, Sequence
from statistics import fmean

import numpy as np

from germline.evaluators.evaluator import EvaluatorSpec
from germline.evaluators.executor import InlineExecutor
from germline.evaluators.outcome import Outcome
from germline.evaluators.tasks.registry import task_class
from germline.search.architecture import KIND
from germline.search.individual import Individual, Scored
from germline.search.loop import ScoreKey, Search
from germline.search.settings import resolve

SEEDS = range(25)
BUDGET = 300
WAYS = {
    "local": (),
    "aging": ("strategy=aging", "population=50", "tournament=25"),
    "nsga2": ("strategy=nsga2", "population=40", "block=40"),
    "random": ("strategy=random",),
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
    values = KIND.prepare(resolve(KIND.settings, KIND.presets["nb201"].values, settings), task_class(task))
    space, notes = KIND.space(values), Notes()
    executor = InlineExecutor(EvaluatorSpec("architecture", task, seed, "cpu", KIND.options(values)))
    search = Search(space, KIND.strategy(values, space), executor, notes, KIND.plan(values, seed))
    for _ in search.events(evaluations=budget, births=40 * budget):
        pass
    return notes.scored[:budget]


def accuracies(scored: Sequence[Scored]) -> np.ndarray:
    return np.maximum.accumulate([100 + (one.fitness if one.fitness is not None else -100.0) for one in scored])


def until(best: np.ndarray, goal: float) -> int:
    reached = np.flatnonzero(best >= goal)
    return int(reached[0]) + 1 if len(reached) else BUDGET


def summary(task: str, settings: Sequence[str]) -> dict[str, float]:
    runs = [accuracies(trainings(task, settings, seed)) for seed in SEEDS]
    at = {f"best at {n}": fmean(float(run[min(n, len(run)) - 1]) for run in runs) for n in (50, 100, 150, 300)}
    reached = [until(run, GOALS[task]) for run in runs]
    return {"trainings": fmean(reached), "reached": sum(n < BUDGET for n in reached), **at}


def rows() -> list[dict[str, object]]:
    table = []
    for task, goal in GOALS.items():
        found = {way: summary(task, settings) for way, settings in WAYS.items()}
        for way, one in found.items():
            print(f"{task} {way:<8}" + "  ".join(f"{name} {value:.2f}" for name, value in one.items()))
            table.append(
                {
                    "name": f"{task}/{way}",
                    "value": one["trainings"],
                    "unit": f"trainings to {goal} %",
                    "baseline": "random search",
                    "ratio": found["random"]["trainings"] / one["trainings"],
                }
            )
    return table
