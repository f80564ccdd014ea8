"""The Deep GA (Such et al. 2017): mutation only, parents by truncation, and an elite that is chosen by reviews.

Each child has one parent, drawn from the elite and the best others of the last generation, T in all. The returns of
single episodes are noisy, so the elite is not the individual with the highest fitness: the best of a generation and the
old elite are reviewed with more episodes, and the best mean return in the reviews makes the new elite. With T = 0 there
are no parents, which is random search.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from germline.programs.policy.space import PolicySpace
from germline.search.individual import Block, Individual, Proposal, Review, Reviewed, RngFor, Scored
from germline.search.policy_rungs import REVIEW, TEST
from germline.search.strategies.random_search import random_proposal
from germline.search.strategy import Strategy

SMALLEST = 1e-6
"""Lower bound of σ, as a share of the first σ."""


@dataclass(frozen=True, slots=True)
class TruncationState:
    """The state after `generation` generations.

    Attributes:
        generation: number of complete generations.
        ranking: individuals of the last generation with an ok outcome, the best first.
        parents: parents of the next generation.
        elite: the individual with the best mean return in the latest reviews; without reviews, the fittest of the run.
        mean: mean return of the elite in the reviews that chose it; without reviews, its fitness.
        proven: the latest generation, counted from 1, after which the elite was chosen or confirmed; the seed of its
            test.
        due: reviews to score.
    """

    generation: int = 0
    ranking: tuple[Individual, ...] = ()
    parents: tuple[Individual, ...] = ()
    elite: Individual | None = None
    mean: float | None = None
    proven: int = 0
    due: tuple[Review, ...] = ()


@dataclass(frozen=True, slots=True)
class Sigma:
    """Standard deviation of mutations: `first`, times `decay` with each generation, and no less than `least`."""

    first: float
    decay: float = 1.0
    least: float = 0.0

    def at(self, generation: int) -> float:
        """σ of a generation, counted from 0; to six digits, so that genomes stay short, and never 0."""
        least = max(self.least, SMALLEST * self.first)
        return float(f"{max(self.first * self.decay**generation, least):.6g}")


class Truncation(Strategy[TruncationState]):
    """Truncation selection with elite reviews.

    Args:
        space: the space of the policies.
        population: births in a generation, which is a block.
        parents: number of individuals that may have children, including the elite (T); 0: every genome is drawn.
        sigma: standard deviation of mutations.
        candidates: number of individuals reviewed after a generation, including the old elite and at least one new
            individual; 0: the elite is the individual with the highest fitness.
        tested: whether the winner is tested at the end.
    """

    state_classes = (TruncationState,)

    def __init__(
        self,
        space: PolicySpace,
        population: int,
        parents: int,
        sigma: Sigma,
        candidates: int,
        tested: bool = True,
    ) -> None:
        self.space = space
        self.population = population
        self.parents = parents
        self.sigma = sigma
        self.candidates = candidates
        self.tested = tested

    def init(self) -> TruncationState:
        return TruncationState()

    def breed(self, state: TruncationState, birth: int, rng_for: RngFor) -> Proposal:
        if not state.parents:
            return random_proposal(self.space, birth, rng_for)
        rng = rng_for(birth)
        return self.child(state.parents[int(rng.integers(len(state.parents)))], birth, rng)

    def child(self, parent: Individual, birth: int, rng: np.random.Generator) -> Proposal:
        """A mutation of a parent, with the σ of the generation of `birth`."""
        child = self.space.mutate(self.space.read(parent.genome), self.sigma.at(birth // self.population), rng)
        return Proposal(child, (parent.birth,), "mutate")

    def advance(self, state: TruncationState, block: Block) -> TruncationState:
        if block.reviews:
            return self._reviewed(state, block.reviews)
        return self.after_generation(state, ranking(block.births), block.births)

    def after_generation(
        self, state: TruncationState, ranked: tuple[Individual, ...], births: Sequence[Scored]
    ) -> TruncationState:
        """The state after a generation of births whose individuals with an ok outcome are `ranked`, those first that
        are reviewed first."""
        state = replace(state, generation=state.generation + 1, ranking=ranked)
        if contenders := self._contenders(state):
            due = tuple(Review(individual, REVIEW, state.generation) for individual in contenders)
            return replace(state, due=due)
        return self._with_parents(self._with_fittest_as_elite(state, births))

    def reviews(self, state: TruncationState) -> Sequence[Review]:
        return state.due

    def closing(self, state: TruncationState) -> Sequence[Review]:
        """A test of the elite (none if `tested` is False) or, if there is no elite yet, reviews of the best individuals
        with seed 0."""
        if state.elite:
            return (Review(state.elite, TEST, state.proven),) if self.tested else ()
        return tuple(Review(individual, REVIEW, 0) for individual in self._contenders(state))

    def winner(self, state: TruncationState) -> Individual | None:
        return state.elite or (state.ranking[0] if state.ranking else None)

    def _contenders(self, state: TruncationState) -> list[Individual]:
        """The individuals to review: the old elite and, to fill up to `candidates`, the best others of the last
        generation, at least one of them. Empty if `candidates` is 0."""
        if not self.candidates:
            return []
        old = [state.elite] if state.elite else []
        known = {individual.fingerprint for individual in old}
        new = _unique([individual for individual in state.ranking if individual.fingerprint not in known])
        return [*old, *new[: max(1, self.candidates - len(old))]]

    def _with_fittest_as_elite(self, state: TruncationState, births: Sequence[Scored]) -> TruncationState:
        """The elite without reviews: the individual with the highest fitness of all generations."""
        ok = [scored for scored in births if scored.fitness is not None]
        fittest = max(ok, key=_fitness, default=None)
        if fittest is None or (state.mean is not None and _fitness(fittest) <= state.mean):
            return state
        return replace(state, elite=fittest.individual, mean=fittest.fitness)

    def _reviewed(self, state: TruncationState, answers: Sequence[Reviewed]) -> TruncationState:
        if answers[0].review.rung == TEST:
            return state
        ok = [answer for answer in answers if answer.outcome.fitness is not None]
        if ok:
            best = max(ok, key=lambda answer: (answer.outcome.fitness, -answer.review.individual.birth))
            state = replace(state, elite=best.review.individual, mean=best.outcome.fitness)
        return self._with_parents(replace(state, due=()))

    def _with_parents(self, state: TruncationState) -> TruncationState:
        """The state with the elite and the best other individuals as parents."""
        elite = [state.elite] if state.elite else []
        parents = _unique([*elite, *state.ranking])[: self.parents]
        return replace(state, parents=tuple(parents), proven=state.generation)


def ranking(births: Sequence[Scored]) -> tuple[Individual, ...]:
    """The individuals with an ok outcome, the fittest first; of equals the earlier birth first."""
    ok = [scored for scored in births if scored.fitness is not None]
    ordered = sorted(ok, key=lambda scored: (-_fitness(scored), scored.individual.birth))
    return tuple(scored.individual for scored in ordered)


def _fitness(scored: Scored) -> float:
    assert scored.fitness is not None
    return scored.fitness


def _unique(individuals: Sequence[Individual]) -> list[Individual]:
    """The first individual of each fingerprint, in order."""
    first: dict[str, Individual] = {}
    for individual in individuals:
        first.setdefault(individual.fingerprint, individual)
    return list(first.values())
