"""NSGA-II (Deb et al. 2002): parents and children compete by Pareto front, and within a front by crowding distance.

The population holds each fingerprint once, and no failed individual. The first `population` births, and any birth while
fewer than two individuals are in the population, are drawn from the space.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from germline.evaluators.hurdle import Limit, limit_passing
from germline.evaluators.outcome import Objective
from germline.programs.space import CrossingSpace
from germline.search import pareto
from germline.search.chance import with_skill
from germline.search.individual import Block, Individual, Proposal, RngFor, Scored
from germline.search.strategies.random_search import random_proposal
from germline.search.strategy import Strategy

FEWEST = 5
"""The hurdle applies to children with at least as many parameters as this many individuals of the population."""


@dataclass(frozen=True, slots=True)
class NSGA2State:
    """`population` is ordered by front and then by crowding distance, the best first; `front` is the size of the first
    front."""

    population: tuple[Scored, ...] = ()
    front: int = 0


class NSGA2(Strategy[NSGA2State]):
    """NSGA-II over several objectives.

    Args:
        space: the space of the genomes.
        objectives: the objectives that compete.
        population: number of individuals that survive a block.
        crossover: probability that a child has two parents; it is mutated in any case.
        passing: quantile, 0 to 1, of the population's losses at the hurdle, which is the threshold for a child. Only
            individuals with no more parameters than the child count, so that no child is dropped for being small; with
            fewer than `FEWEST` of them there is no threshold. 1: no hurdle.
        chance_error: validation error in percent of always answering one class; None: not known.
    """

    state_classes = (NSGA2State,)

    def __init__(
        self,
        space: CrossingSpace[Any],
        objectives: Sequence[Objective],
        population: int,
        crossover: float,
        passing: float = 1.0,
        chance_error: float | None = None,
    ) -> None:
        self.space = space
        self.objectives = tuple(objectives)
        self.population = population
        self.crossover = crossover
        self.passing = passing
        self.chance_error = chance_error

    def init(self) -> NSGA2State:
        return NSGA2State()

    def breed(self, state: NSGA2State, birth: int, rng_for: RngFor) -> Proposal:
        if birth < self.population or len(state.population) < 2:
            return random_proposal(self.space, birth, rng_for)
        rng = rng_for(birth)
        mother, father = self._parent(state, rng), self._parent(state, rng)
        genome = self.space.read(mother.genome)
        if rng.random() >= self.crossover:
            child = self.space.vary(genome, "mutate", rng)
            return Proposal(child.genome, (mother.birth,), "mutate", child.rejected)
        crossed = self.space.cross(genome, self.space.read(father.genome), rng)
        child = self.space.vary(crossed.genome, "mutate", rng)
        rejected = crossed.rejected + child.rejected
        return Proposal(child.genome, (mother.birth, father.birth), "crossover", rejected)

    def advance(self, state: NSGA2State, block: Block) -> NSGA2State:
        by_fingerprint = {scored.individual.fingerprint: scored for scored in state.population}
        for scored in block.births:
            if scored.fitness is not None:
                by_fingerprint.setdefault(scored.individual.fingerprint, scored)
        candidates = list(by_fingerprint.values())
        if not candidates:
            return state
        points = self.points(candidates)
        survivors = pareto.survivors(points, self.population)
        front = int((pareto.fronts(points[survivors]) == 0).sum())
        return NSGA2State(tuple(candidates[i] for i in survivors), front)

    def limit(self, state: NSGA2State) -> Limit | None:
        if self.passing >= 1 or len(state.population) < self.population:
            return None
        losses_by_size = sorted(_size_and_loss(scored) for scored in state.population)
        sizes, losses = zip(*losses_by_size, strict=True)
        steps = [(size, limit_passing(losses[: i + 1], self.passing)) for i, size in enumerate(sizes)]
        return tuple(steps[FEWEST - 1 :])

    def winner(self, state: NSGA2State) -> Individual | None:
        """The knee of the first front, among individuals that beat chance."""
        front = with_skill(state.population[: state.front], self.chance_error)
        return front[pareto.knee(self.points(front))].individual if front else None

    def points(self, individuals: Sequence[Scored]) -> pareto.Points:
        """Objectives of each of n individuals, `[n, objectives]`, all to be minimised."""
        return pareto.minimised([scored.outcome.objectives for scored in individuals], self.objectives)

    def _parent(self, state: NSGA2State, rng: np.random.Generator) -> Individual:
        """The winner of a binary tournament: the earlier of two random individuals in the ordered population."""
        size = len(state.population)
        return state.population[min(int(rng.random() * size), int(rng.random() * size))].individual


def _size_and_loss(scored: Scored) -> tuple[float, float]:
    """Number of parameters of a network, and its loss at the hurdle (infinite if it had no hurdle)."""
    return scored.outcome.objectives["params"], scored.outcome.measures.get("hurdle", math.inf)
