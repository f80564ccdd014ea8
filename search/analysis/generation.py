"""A generation of policies as a scatter plot, with the parents of the next generation and the elite marked."""

import logging
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from math import inf, isfinite
from statistics import pstdev
from typing import TYPE_CHECKING

import numpy as np

from germline.db.records import EvaluationRecord, RunRecord, ScoredIndividual
from germline.evaluators.errors import in_a_line
from germline.evaluators.policy.task import PolicyTask
from germline.evaluators.tasks.registry import BUILT_IN, task_class
from germline.programs.policy.drawing import PolicyMarker, Wall
from germline.search.analysis.policy_scores import mean_behaviour
from germline.search.kinds.policy import PolicyKind
from germline.search.winner import winners

if TYPE_CHECKING:
    from germline.db.store import Store

log = logging.getLogger(__name__)


class NoGeneration(ValueError):
    """The run has no such generation, or no individual in it has an ok outcome."""


@dataclass(frozen=True)
class Generation:
    """A block of a run of policies.

    Attributes:
        number: the number of the block, from 0.
        individuals: its births.
        parents: parents of the generation that was bred from this one; some may be older than this generation.
        elite: the winner after the generation; None while the generation is not complete.
        last: whether no later generation was bred from it.
    """

    number: int
    individuals: Sequence[ScoredIndividual]
    parents: Sequence[ScoredIndividual]
    elite: ScoredIndividual | None
    last: bool


@dataclass(frozen=True)
class Axes:
    """The two quantities of a scatter plot: the name of each, and the position of each outcome.

    `descriptor_length` is the number of components of the behaviour descriptor. Of more than two components, the axes
    show the two that vary most.
    """

    x: str
    y: str
    positions: Sequence[tuple[float, float]]
    descriptor_length: int


@dataclass(frozen=True)
class Scatter:
    """The points of a generation, of parents from earlier generations, and of the elite.

    `failed` is the number of individuals of the generation without a fitness, which have no point; `older` is the
    number of points from earlier generations.
    """

    points: Sequence[PolicyMarker]
    axes: Axes
    failed: int
    older: int


def generation_of(store: "Store", run: RunRecord, number: int | None = None) -> Generation:
    """Returns a generation of a run of policies.

    Args:
        store: the database of the run.
        run: the run.
        number: of the generation, from 0; None: the last complete generation.

    Raises:
        NoGeneration: the run has no such generation, or no individual in it has an ok outcome.
    """
    individuals = store.block(run.name, number)
    if not individuals:
        complete = store.block(run.name)
        has = f"generations 0 to {complete[0].individual.block} are complete" if complete else "none is complete yet"
        raise NoGeneration(f"expected a generation of {run.name}, got {number}; {has}")
    number = individuals[0].individual.block
    if not any(_fitness(scored) is not None for scored in individuals):
        raise NoGeneration(f"nothing in generation {number} of {run.name} has an ok outcome; choose another generation")
    # Block k is bred from the state after block k - 1 - depth.
    offspring = store.block(run.name, number + 1 + PolicyKind().from_config(run.config.get("settings", {})).depth)
    parent_births = {parent for scored in offspring for parent in scored.individual.parents}
    by_birth = {scored.individual.birth: scored for scored in individuals}
    parents = [by_birth.get(birth) or store.individual(run.name, birth) for birth in sorted(parent_births)]
    elite_birth = winners(store, run.name).get(number)
    elite = None if elite_birth is None else store.individual(run.name, elite_birth)
    return Generation(number, individuals, parents, elite, last=not offspring)


def scatter(generation: Generation) -> Scatter:
    """Returns the points of a generation: its policies, the older parents and the elite, by behaviour or return."""
    by_birth = {scored.individual.birth: scored for scored in [*generation.individuals, *generation.parents]}
    if generation.elite:
        by_birth.setdefault(generation.elite.individual.birth, generation.elite)
    parents = {scored.individual.birth for scored in generation.parents}
    elite = generation.elite.individual.birth if generation.elite else None
    outcomes = _scored(by_birth)
    axes = descriptor_axes(list(outcomes.values()))
    points = [
        PolicyMarker(*position, fitness=outcome.fitness or 0.0, parent=birth in parents, elite=birth == elite)
        for (birth, outcome), position in zip(outcomes.items(), axes.positions, strict=True)
    ]
    own = [scored for scored in generation.individuals if scored.evaluation]
    failed = sum(_fitness(scored) is None for scored in own)
    return Scatter(points, axes, failed, older=len(points) + failed - len(own))


def descriptor_axes(outcomes: Sequence[EvaluationRecord]) -> Axes:
    """Returns the axes of a scatter plot of outcomes.

    They are the two components of the behaviour descriptor with the largest standard deviation. With a single component
    the y axis is the return; without a descriptor the x axis is the episode length in decisions and the y axis the
    return.
    """
    descriptors = [mean_behaviour(outcome) for outcome in outcomes]
    length = min(map(len, descriptors), default=0)
    returns = [outcome.fitness or 0.0 for outcome in outcomes]
    if length == 0:
        steps = [outcome.measures.get("steps", 0.0) / (outcome.measures.get("episodes") or 1.0) for outcome in outcomes]
        return Axes("decisions in an episode", "return", list(zip(steps, returns, strict=True)), length)
    if length == 1:
        first = [descriptor[0] for descriptor in descriptors]
        return Axes("behaviour 0", "return", list(zip(first, returns, strict=True)), length)
    deviations = [_deviation([descriptor[i] for descriptor in descriptors]) for i in range(length)]
    a, b = sorted(sorted(range(length), key=lambda i: -deviations[i])[:2])
    positions = [(descriptor[a], descriptor[b]) for descriptor in descriptors]
    return Axes(f"behaviour {a}", f"behaviour {b}", positions, length)


def walls_of(task: str) -> list[Wall]:
    """Returns the walls of a task's environment as line segments; empty if it has none.

    Only built-in tasks are loaded, because a database may name a file of code, and drawing a run must not execute it.
    """
    if task not in BUILT_IN:
        return []
    try:
        chosen = task_class(task)
        if not issubclass(chosen, PolicyTask):
            return []
        with closing(chosen().environments(1)) as environments:
            segments = np.asarray(getattr(environments, "walls", ()), np.float64).reshape(-1, 4)
    except Exception as error:  # the points come from the database, and can be drawn without walls
        log.warning("%s: drawn without its walls (%s)", task, in_a_line(error))
        return []
    return [(float(x0), float(y0), float(x1), float(y1)) for x0, y0, x1, y1 in segments]


def _fitness(scored: ScoredIndividual) -> float | None:
    return scored.evaluation.fitness if scored.evaluation else None


def _scored(individuals: Mapping[int, ScoredIndividual]) -> dict[int, EvaluationRecord]:
    """The outcomes with a fitness, by birth."""
    return {
        birth: scored.evaluation
        for birth, scored in individuals.items()
        if scored.evaluation is not None and scored.evaluation.fitness is not None
    }


def _deviation(values: Sequence[float]) -> float:
    """The standard deviation of the finite values; 0 if there are none, infinity beyond the largest float."""
    try:
        return pstdev([value for value in values if isfinite(value)] or [0.0])
    except OverflowError:
        return inf
