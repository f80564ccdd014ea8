"""Aging evolution (Real et al. 2019), as in Lion's search (Chen et al. 2023): the winner of a small tournament has a
child, and the oldest individual of the population is removed.

The population begins as copies of the start genome or, without a start genome, is filled with random genomes. Only
individuals with an ok outcome enter it: a failed individual neither becomes a parent nor replaces an older one.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from germline.evaluators.hurdle import Limit, limit_passing
from germline.programs.space import Space
from germline.search.individual import Block, Individual, Proposal, RngFor
from germline.search.strategies.random_search import random_proposal, start_individual
from germline.search.strategy import Strategy

Restart = Literal["start", "best", "alternate"]
"""The genome that a restarted population consists of; `alternate`: the best and the start genome in turn."""

DonorSource = Literal["population"] | Mapping[str, Any]
"""Where operators of two genomes take the second, the donor. `population`: the winner of a tournament; a mapping: one
of its genomes, drawn by name."""


@dataclass(frozen=True, slots=True)
class Member:
    """A place in the population: an individual, its fitness (None for the start genome until it has an ok outcome) and
    its loss at the hurdle (None without a hurdle)."""

    individual: Individual
    fitness: float | None
    hurdle_loss: float | None = None

    @property
    def rank(self) -> float:
        return float("-inf") if self.fitness is None else self.fitness


@dataclass(frozen=True, slots=True)
class AgingState:
    """The population, ordered by age with the oldest first, and the best individuals.

    An epoch lasts from a restart to the next. `epoch_best` is the best of the current epoch, and `gained` the birth at
    which it last improved or, if it did not, at which the epoch began. `start` is the start genome; None if the run has
    none, and then `best` and `epoch_best` are None until an individual has an ok outcome.
    """

    population: tuple[Member, ...]
    start: Member | None
    best: Member | None
    epoch_best: Member | None
    gained: int
    restarts: int = 0


class AgingEvolution(Strategy[AgingState]):
    """Aging evolution with several operators.

    Args:
        space: the space of the genomes.
        start: the genome that all others descend from; None: the first `population` births are drawn.
        population: number of living individuals.
        tournament: number of individuals drawn, with replacement, to find a parent.
        operators: relative weight of each operator of the space.
        warmup: number of first births that use `warmup_operators` only, so that structures are later compared under
            tuned constants.
        warmup_operators: relative weights during the warm-up; None: `operators`.
        variants: size of a batch of constant variants: a new structure, and `variants - 1` siblings that differ from it
            in constants only. If the first of a batch was itself made by one of `sibling_operators`, the others are
            ordinary children.
        sibling_operators: relative weights of the operators that make siblings; None: `operators`.
        patience: births of the run, those of other islands included, without a new best of the epoch after which the
            population restarts; 0: never.
        restart: the genome that a restart begins with.
        passing: share of the population whose loss at the hurdle is within the threshold for its children, as in
            AutoML-Zero (Real et al. 2020); 1: no hurdle.
        pair_operators: those of all operators that take two genomes; the space has to be a `PairingSpace` if there are
            any. The second, the donor, is the winner of another tournament and becomes the second parent; or it is a
            genome with a name, which is recorded with the operator, as in `graft(lion)`.
        donors: the sources of donors, drawn with the same probability.
        seed_birth: the birth that is the start genome.
        starts: number of first births that are start genomes, of this population and of others beside it.
    """

    state_classes = (AgingState, Member)

    def __init__(
        self,
        space: Space[Any],
        start: Any | None,
        population: int,
        tournament: int,
        operators: Mapping[str, float],
        warmup: int = 0,
        warmup_operators: Mapping[str, float] | None = None,
        variants: int = 1,
        sibling_operators: Mapping[str, float] | None = None,
        patience: int = 0,
        restart: Restart = "best",
        passing: float = 1.0,
        pair_operators: Collection[str] = (),
        donors: Sequence[DonorSource] = ("population",),
        seed_birth: int = 0,
        starts: int = 1,
    ) -> None:
        self.space: Any = space  # a PairingSpace, if there are pair operators
        self.start = start
        first = start_individual(space, start, seed_birth)
        self.unscored_start = Member(first, None) if first else None
        self.population = population
        self.random_births = 0 if first else population
        self.tournament = tournament
        self.operators = operators
        self.warmup = warmup
        self.warmup_operators = warmup_operators or operators
        self.variants = variants
        self.sibling_operators = sibling_operators or operators
        self.patience = patience
        self.restart = restart
        self.passing = passing
        self.pair_operators = pair_operators
        self.donors = donors
        self.seed_birth = seed_birth
        self.first_leader = max(starts if first else 0, self.random_births)
        """The first birth that may lead a batch of variants: those before it are start genomes, or drawn."""

    def init(self) -> AgingState:
        start = self.unscored_start
        copies = (start,) * self.population if start else ()
        return AgingState(copies, start, start, start, gained=0)

    def breed(self, state: AgingState, birth: int, rng_for: RngFor) -> Proposal:
        if birth == self.seed_birth and self.start is not None:
            return Proposal(self.start, (), "seed")
        if birth < self.random_births or not state.population:
            return random_proposal(self.space, birth, rng_for)
        if birth < self.warmup:
            return self._child(state, rng_for, birth, self.warmup_operators)
        first = max(birth - birth % self.variants, self.warmup)
        if first < self.first_leader:
            return self._child(state, rng_for, birth, self.operators)
        leader = self._child(state, rng_for, first, self.operators)
        if birth == first:
            return leader
        if leader.operator in self.sibling_operators:
            # The leader has a new constant but no new structure, so the rest of the batch are ordinary children.
            return self._child(state, rng_for, birth, self.operators)
        return self._sibling(leader, rng_for, birth)

    def advance(self, state: AgingState, block: Block) -> AgingState:
        # A list and a single new state for the block: copying a large population at each birth would cost more than
        # breeding.
        living = list(state.population)
        start, best, epoch_best = state.start, state.best, state.epoch_best
        gained, restarts = state.gained, state.restarts
        for scored in block.births:
            if scored.fitness is None:
                continue
            member = Member(scored.individual, scored.fitness, scored.outcome.measures.get("hurdle"))
            birth = scored.individual.birth
            if birth == self.seed_birth and self.unscored_start:
                living = [member if old is self.unscored_start else old for old in living]
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
        # While the population still holds copies of one genome, its losses do not form a distribution.
        if self.passing >= 1 or len(living) < 2 or living[0] is living[1]:
            return None
        losses = [math.inf if member.hurdle_loss is None else member.hurdle_loss for member in living]
        return limit_passing(losses, self.passing)

    def winner(self, state: AgingState) -> Individual | None:
        return state.best.individual if state.best else None

    def _child(self, state: AgingState, rng_for: RngFor, birth: int, operators: Mapping[str, float]) -> Proposal:
        rng = rng_for(birth)
        parent = self._parent(state, rng)
        operator = _choose(operators, rng.random())
        if operator in self.pair_operators:
            return self._child_with_donor(state, parent, operator, rng)
        child = self.space.vary(self.space.read(parent.genome), operator, rng)
        return Proposal(child.genome, (parent.birth,), operator, child.rejected)

    def _child_with_donor(
        self, state: AgingState, parent: Individual, operator: str, rng: np.random.Generator
    ) -> Proposal:
        source = self.donors[int(rng.random() * len(self.donors))]
        parents = [parent.birth]
        if isinstance(source, str):
            second = self._parent(state, rng)
            donor = self.space.read(second.genome)
            parents.append(second.birth)
            origin = operator
        else:
            name = list(source)[int(rng.random() * len(source))]
            donor = source[name]
            origin = f"{operator}({name})"
        child = self.space.combine(self.space.read(parent.genome), donor, operator, rng)
        return Proposal(child.genome, tuple(parents), origin, child.rejected)

    def _parent(self, state: AgingState, rng: np.random.Generator) -> Individual:
        """The winner of a tournament."""
        drawn = [state.population[int(rng.random() * len(state.population))] for _ in range(self.tournament)]
        return max(drawn, key=lambda member: member.rank).individual

    def _sibling(self, leader: Proposal, rng_for: RngFor, birth: int) -> Proposal:
        """A variant of a leader: the same structure with other constants."""
        rng = rng_for(birth)
        operator = _choose(self.sibling_operators, rng.random())
        sibling = self.space.vary(leader.genome, operator, rng)
        return replace(
            leader, genome=sibling.genome, operator=f"{leader.operator}+{operator}", rejected=sibling.rejected
        )


def _choose(weights: Mapping[str, float], roll: float) -> str:
    """The key drawn by `roll`, uniform in [0, 1), in proportion to the weights."""
    names = list(weights)
    left = roll * sum(weights.values())
    for name in names:
        left -= weights[name]
        if left < 0:
            return name
    return names[-1]
