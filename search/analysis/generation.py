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
from germline.evaluators.errors import in_a_line, one_line
from germline.evaluators.policy.task import PolicyTask
from germline.evaluators.tasks.registry import BUILT_IN, needs_confirmation, task_class
from germline.search.analysis.policy_scores import mean_behaviour
from germline.search.kinds.policy import PolicyKind
from germline.search.winner import winners

if TYPE_CHECKING:
    from germline.db.store import Store

log = logging.getLogger(__name__)


Wall = tuple[float, float, float, float]
"""A line: x and y of one end, then x and y of the other, in the numbers of the axes."""


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
class PolicyMarker:
    """A policy as a point of the plot.

    Attributes:
        x, y: place, in the numbers of the axes.
        fitness: its fitness, which decides the colour.
        parent: whether it is a parent of the next generation.
        elite: whether it is the elite.
    """

    x: float
    y: float
    fitness: float
    parent: bool = False
    elite: bool = False


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
        number: of the generation, from 0; None: the last complete generation whose children were born, so that its
            parents are known; if there is none, the last complete generation.

    Raises:
        NoGeneration: the run has no such generation, or no individual in it has an ok outcome.
    """
    # Block k is bred from the state after block k - 1 - depth.
    distance = 1 + PolicyKind().from_config(run.config.get("settings", {})).depth
    individuals = store.block(run.name, number) if number is not None else _with_children(store, run.name, distance)
    if not individuals:
        complete = store.block(run.name)
        has = f"generations 0 to {complete[0].individual.block} are complete" if complete else "none is complete yet"
        raise NoGeneration(f"expected a generation of {run.name}, got {number}; {has}")
    number = individuals[0].individual.block
    if not any(_fitness(scored) is not None for scored in individuals):
        raise NoGeneration(f"nothing in generation {number} of {run.name} has an ok outcome; choose another generation")
    offspring = store.block(run.name, number + distance)
    parent_births = {parent for scored in offspring for parent in scored.individual.parents}
    by_birth = {scored.individual.birth: scored for scored in individuals}
    parents = [by_birth.get(birth) or store.individual(run.name, birth) for birth in sorted(parent_births)]
    elite_birth = winners(store, run.name).get(number)
    elite = None if elite_birth is None else store.individual(run.name, elite_birth)
    return Generation(number, individuals, parents, elite, last=not offspring)


def scatter(generation: Generation, behaviour_names: Sequence[str] = ()) -> Scatter:
    """Returns the points of a generation: its policies, the older parents and the elite, by behaviour or return.

    Args:
        generation: the generation.
        behaviour_names: see `descriptor_axes`.
    """
    by_birth = {scored.individual.birth: scored for scored in [*generation.individuals, *generation.parents]}
    if generation.elite:
        by_birth.setdefault(generation.elite.individual.birth, generation.elite)
    parents = {scored.individual.birth for scored in generation.parents}
    elite = generation.elite.individual.birth if generation.elite else None
    outcomes = _scored(by_birth)
    axes = descriptor_axes(list(outcomes.values()), behaviour_names)
    points = [
        PolicyMarker(*position, fitness=outcome.fitness or 0.0, parent=birth in parents, elite=birth == elite)
        for (birth, outcome), position in zip(outcomes.items(), axes.positions, strict=True)
    ]
    own = [scored for scored in generation.individuals if scored.evaluation]
    failed = sum(_fitness(scored) is None for scored in own)
    return Scatter(points, axes, failed, older=len(points) + failed - len(own))


def descriptor_axes(outcomes: Sequence[EvaluationRecord], behaviour_names: Sequence[str] = ()) -> Axes:
    """Returns the axes of a scatter plot of outcomes.

    Args:
        outcomes: all with a fitness.
        behaviour_names: what the components of the behaviour descriptor are. If there are fewer or more names than
            components, each component is named by its number.

    The axes are the two components of the behaviour descriptor with the largest standard deviation. With a single
    component the y axis is the return; without a descriptor the x axis is the episode length in decisions and the y
    axis the return.
    """
    descriptors = [mean_behaviour(outcome) for outcome in outcomes]
    length = min(map(len, descriptors), default=0)
    returns = [outcome.fitness or 0.0 for outcome in outcomes]
    numbered = [f"behaviour {i}" for i in range(length)]
    names = list(behaviour_names) if len(behaviour_names) == length else numbered
    if length == 0:
        steps = [outcome.measures.get("steps", 0.0) / (outcome.measures.get("episodes") or 1.0) for outcome in outcomes]
        return Axes("decisions in an episode", "return", list(zip(steps, returns, strict=True)), length)
    if length == 1:
        first = [descriptor[0] for descriptor in descriptors]
        return Axes(names[0], "return", list(zip(first, returns, strict=True)), length)
    deviations = [_deviation([descriptor[i] for descriptor in descriptors]) for i in range(length)]
    a, b = sorted(sorted(range(length), key=lambda i: -deviations[i])[:2])
    positions = [(descriptor[a], descriptor[b]) for descriptor in descriptors]
    return Axes(names[a], names[b], positions, length)


def behaviour_names_of(task: str, confirmed: bool = False) -> tuple[str, ...]:
    """Returns what the components of a task's behaviour are, as the task declares it; empty if it declares nothing.

    Args:
        task: the name of a run's task.
        confirmed: whether the user named it too. If not, a task is not asked that a database may not choose to import,
            such as a class in a file.
    """
    chosen = _policy_task(task) if confirmed or not needs_confirmation(task) else None
    return () if chosen is None else chosen.behaviour_names


def walls_of(task: str) -> list[Wall]:
    """Returns the walls of a task's environment as line segments; empty if it has none.

    Only built-in tasks are asked, whose environments are cheap to build.
    """
    chosen = _policy_task(task) if task in BUILT_IN else None
    if chosen is None:
        return []
    try:
        with closing(chosen().environments(1)) as environments:
            segments = np.asarray(getattr(environments, "walls", ()), np.float64).reshape(-1, 4)
    except Exception as error:  # the points come from the database, and can be drawn without walls
        log.warning("%s: drawn without its walls (%s)", one_line(task, 100), in_a_line(error))
        return []
    return [(float(x0), float(y0), float(x1), float(y1)) for x0, y0, x1, y1 in segments]


def _policy_task(task: str) -> type[PolicyTask] | None:
    """The class of a task for policies; None for another kind, or for a task that is gone."""
    try:
        chosen = task_class(task)
    except Exception as error:
        log.warning("%s: drawn without what it declares (%s)", one_line(task, 100), in_a_line(error))
        return None
    return chosen if issubclass(chosen, PolicyTask) else None


def _with_children(store: "Store", run_name: str, distance: int) -> Sequence[ScoredIndividual]:
    """The last complete generation with children, which are born `distance` blocks later; else the last complete
    generation; empty if none is complete."""
    last = store.block(run_name)
    if not last:
        return last
    number = last[0].individual.block
    for earlier in range(number, max(-1, number - distance - 1), -1):
        if store.block(run_name, earlier + distance):
            return last if earlier == number else store.block(run_name, earlier)
    return last


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
