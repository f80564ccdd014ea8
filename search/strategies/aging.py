"""Regularized evolution (Real et al. 2019), as Lion's search used it: the best of a small tournament has a child, and
the oldest of the population dies.

The population begins as P copies of the start genome or, without one, with random genomes. Only individuals that were
scored well enter it: a failed one neither becomes a parent nor pushes an older one out.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from germline.evaluators.hurdle import Limit, limit_passing
from germline.programs.space import Space
from germline.search.individual import Block, Individual, Proposal, RngFor
from germline.search.strategy import Strategy


@dataclass(frozen=True, slots=True)
class Member:
    """One place in the population: an individual with its fitness (None for the start genome before it is scored) and
    what it showed at the hurdle, if there is one."""

    individual: Individual
    fitness: float | None
    hurdle: float | None = None

    @property
    def rank(self) -> float:
        return float("-inf") if self.fitness is None else self.fitness


@dataclass(frozen=True, slots=True)
class AgingState:
    """`population` is ordered by age, the oldest first. `gained` is the birth that last improved the best of this
    epoch; an epoch begins with every restart."""

    population: tuple[Member, ...]
    start: Member | None
    best: Member | None
    epoch_best: Member | None
    gained: int
    restarts: int = 0


class AgingEvolution(Strategy[AgingState]):
    """Aging evolution with a mix of operators.

    Args:
        start: text of the genome that everything descends from; None: the first `population` births are drawn.
        population: how many individuals live at a time.
        tournament: how many are drawn, with replacement, to find a parent.
        operators: relative weight of each operator of the space.
        warmup: the first so many births use `warmup_operators` only, so that structures are judged with good constants.
        litter: a new structure is born with `litter - 1` siblings that differ from it in constants only.
        patience: births without a gain after which the population restarts; 0 means never.
        restart: `start`, `best` or `alternate`: which genome a restart begins with.
        passing: share of the living that would pass the hurdle which their children meet. It is that of AutoML-Zero
            (Real et al. 2020): it rises with the population, and a rerun computes the same from the same state.
    """

    def __init__(
        self,
        start: str | None,
        fingerprint: str,
        population: int,
        tournament: int,
        operators: Mapping[str, float],
        warmup: int = 0,
        warmup_operators: Mapping[str, float] | None = None,
        litter: int = 1,
        sibling_operators: Mapping[str, float] | None = None,
        patience: int = 0,
        restart: str = "best",
        passing: float = 1.0,
    ) -> None:
        self.seed = Member(Individual(0, 0, (), "seed", start, fingerprint), None) if start else None
        self.population = population
        self.drawn = 0 if start else population
        self.tournament = tournament
        self.operators = operators
        self.warmup = warmup
        self.warmup_operators = warmup_operators or operators
        self.litter = litter
        self.sibling_operators = sibling_operators or operators
        self.patience = patience
        self.restart = restart
        self.passing = passing

    def init(self) -> AgingState:
        copies = (self.seed,) * self.population if self.seed else ()
        return AgingState(copies, self.seed, self.seed, self.seed, gained=0)

    def breed(self, state: AgingState, birth: int, space: Space[Any], rng_for: RngFor) -> Proposal:
        if birth == 0 and self.seed:
            return Proposal(self.seed.individual.genome, (), "seed")
        if birth < self.drawn or not state.population:
            return Proposal(space.write(space.draw(rng_for(birth))), (), "random")
        if birth < self.warmup:
            return self._child(state, space, rng_for, birth, self.warmup_operators)
        first = birth - birth % self.litter
        leader = self._child(state, space, rng_for, max(first, self.warmup), self.operators)
        if birth == max(first, self.warmup):
            return leader
        if leader.operator in self.sibling_operators:
            return self._child(state, space, rng_for, birth, self.operators)
        rng = rng_for(birth)
        operator = _choose(self.sibling_operators, rng.random())
        genome = space.write(space.vary(space.read(leader.genome), operator, rng))
        return replace(leader, genome=genome, operator=f"{leader.operator}+{operator}")

    def advance(self, state: AgingState, block: Block) -> AgingState:
        """Works on a list and builds one state a block: copying a large population for each birth would cost more than
        breeding does."""
        living = list(state.population)
        start, best, epoch_best = state.start, state.best, state.epoch_best
        gained, restarts = state.gained, state.restarts
        for scored in block.births:
            if scored.fitness is None:
                continue
            member = Member(scored.individual, scored.fitness, scored.outcome.measures.get("hurdle"))
            birth = scored.individual.birth
            if birth == 0 and self.seed:
                # The copies of the start genome that are alive learn their fitness.
                living = [member if old is self.seed else old for old in living]
                start = best = epoch_best = member
                continue
            living.append(member)
            if epoch_best is None or member.rank > epoch_best.rank:
                epoch_best, gained = member, birth
            if best is None or member.rank > best.rank:
                best = member
            if self.patience and birth - gained >= self.patience:
                from_best = self.restart == "best" or (self.restart == "alternate" and restarts % 2 == 0)
                origin = best if from_best or start is None else start
                living = [origin] * self.population
                epoch_best, gained, restarts = origin, birth, restarts + 1
        return AgingState(tuple(living[-self.population :]), start, best, epoch_best, gained, restarts)

    def limit(self, state: AgingState) -> Limit | None:
        living = state.population
        # As long as copies of one genome are alive there is no population to compare with.
        if self.passing >= 1 or len(living) < 2 or living[0] is living[1]:
            return None
        return limit_passing([math.inf if member.hurdle is None else member.hurdle for member in living], self.passing)

    def best(self, state: AgingState) -> Individual | None:
        return state.best.individual if state.best else None

    def _child(
        self, state: AgingState, space: Space[Any], rng_for: RngFor, birth: int, operators: Mapping[str, float]
    ) -> Proposal:
        rng = rng_for(birth)
        drawn = [state.population[int(rng.random() * len(state.population))] for _ in range(self.tournament)]
        parent = max(drawn, key=lambda member: member.rank).individual
        operator = _choose(operators, rng.random())
        child = space.vary(space.read(parent.genome), operator, rng)
        return Proposal(space.write(child), (parent.birth,), operator)


def _choose(weights: Mapping[str, float], roll: float) -> str:
    """The key on which `roll`, uniform in [0, 1), falls."""
    names = list(weights)
    left = roll * sum(weights.values())
    for name in names:
        left -= weights[name]
        if left < 0:
            return name
    return names[-1]
