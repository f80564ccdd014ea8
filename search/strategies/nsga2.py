"""NSGA-II (Deb et al. 2002): parents and children compete by fronts, and within a front by crowding.

The population holds every network once; one that fails never enters. Births before the population is full are drawn.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from germline.evaluators.hurdle import Limit, limit_passing
from germline.evaluators.outcome import Objective
from germline.programs.space import CrossingSpace, Space
from germline.search import pareto
from germline.search.individual import Block, Individual, Proposal, RngFor, Scored
from germline.search.strategy import Strategy

FEWEST = 5
"""A child that is larger than fewer of the living than these meets no hurdle."""


@dataclass(frozen=True, slots=True)
class NSGA2State:
    """`population` is ordered by front and then by crowding, the best first; `front` is how many are in the first."""

    population: tuple[Scored, ...] = ()
    front: int = 0


class NSGA2(Strategy[NSGA2State]):
    """NSGA-II over some objectives.

    Args:
        space: whose genomes are crossed.
        objectives: what competes, by name and direction.
        population: how many survive a block.
        crossover: how often a child has two parents; it is mutated in any case.
        passing: share of the living that would pass the hurdle of a child as large as they are. It is compared with
            those alone that are no larger than it, so that nothing leaves for being small.
    """

    def __init__(
        self,
        space: CrossingSpace[Any],
        objectives: Sequence[Objective],
        population: int,
        crossover: float,
        passing: float = 1.0,
    ) -> None:
        self.space = space
        self.objectives = tuple(objectives)
        self.population = population
        self.crossover = crossover
        self.passing = passing

    def init(self) -> NSGA2State:
        return NSGA2State()

    def breed(self, state: NSGA2State, birth: int, space: Space[Any], rng_for: RngFor) -> Proposal:
        rng = rng_for(birth)
        if birth < self.population or len(state.population) < 2:
            return Proposal(space.write(space.draw(rng)), (), "random")
        mother, father = self._parent(state, rng), self._parent(state, rng)
        genome = space.read(mother.genome)
        parents: tuple[int, ...] = (mother.birth,)
        if rng.random() < self.crossover:
            genome = self.space.cross(genome, space.read(father.genome), rng)
            parents = (mother.birth, father.birth)
        child = space.vary(genome, "mutate", rng)
        return Proposal(space.write(child), parents, "crossover" if len(parents) > 1 else "mutate")

    def advance(self, state: NSGA2State, block: Block) -> NSGA2State:
        known = {one.individual.fingerprint: one for one in state.population}
        for scored in block.births:
            if scored.fitness is not None:
                known.setdefault(scored.individual.fingerprint, scored)
        everyone = list(known.values())
        if not everyone:
            return state
        points = self.points(everyone)
        kept = pareto.survivors(points, self.population)
        first = int((pareto.fronts(points[kept]) == 0).sum())
        return NSGA2State(tuple(everyone[i] for i in kept), first)

    def points(self, scored: Sequence[Scored]) -> pareto.Points:
        """The objectives of each, to be minimised."""
        return pareto.minimised([one.outcome.objectives for one in scored], self.objectives)

    def limit(self, state: NSGA2State) -> Limit | None:
        if self.passing >= 1 or len(state.population) < self.population:
            return None
        rows = [(one.outcome.objectives["params"], one.outcome.measures.get("hurdle")) for one in state.population]
        living = sorted((size, math.inf if shown is None else shown) for size, shown in rows)
        steps = [
            (living[i][0], limit_passing([shown for _, shown in living[: i + 1]], self.passing))
            for i in range(len(living))
        ]
        return tuple(steps[FEWEST - 1 :])

    def best(self, state: NSGA2State) -> Individual | None:
        """The knee of the front."""
        front = state.population[: state.front]
        return front[pareto.knee(self.points(front))].individual if front else None

    def _parent(self, state: NSGA2State, rng: np.random.Generator) -> Individual:
        """The better of two: the population is in order."""
        size = len(state.population)
        return state.population[min(int(rng.random() * size), int(rng.random() * size))].individual
