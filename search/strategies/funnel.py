"""The funnel of Lion's search (Chen et al. 2023): the best programs on the proxy task are scored again, more reliably.

It wraps another strategy. The start genome is reviewed, then at intervals the present winner of the wrapped strategy,
unless it was reviewed before. Reviews are at rung 0 with fresh seeds, because an individual may owe its fitness to the
seed of the search, and at a longer rung, because a short training may mislead. The winner is the individual with the
highest mean over fresh seeds, among those individuals that are no worse than the start genome at the longer rung.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Generic, TypeVar

from germline.evaluators.hurdle import Limit
from germline.search.analysis.statistics import mean
from germline.search.individual import Block, Individual, Proposal, Review, Reviewed, RngFor
from germline.search.strategy import Strategy

S = TypeVar("S")

FAILED = float("-inf")
"""Fitness of a review that failed."""


@dataclass(frozen=True, slots=True)
class ReviewSummary:
    """The reviews of an individual: its mean fitness over fresh seeds (0 without any), and its fitness at the longer
    rung. A review that failed counts as `FAILED`."""

    individual: Individual
    fresh: float
    longer: float


@dataclass(frozen=True, slots=True)
class FunnelState(Generic[S]):
    """The state of the wrapped strategy and the reviews.

    Attributes:
        inner: state of the wrapped strategy.
        births: number of births so far.
        last: value of `births` at the last decision on what to review.
        due: reviews to score.
        summaries: reviewed individuals by fingerprint, in the order of their reviews.
    """

    inner: S
    births: int = 0
    last: int = 0
    due: tuple[Review, ...] = ()
    summaries: Mapping[str, ReviewSummary] = field(default_factory=dict)


class Funnel(Strategy[FunnelState[S]], Generic[S]):
    """Reviews the best individuals of another strategy.

    Args:
        inner: the strategy that breeds.
        rung: the longer rung.
        every: least number of births between two decisions on what to review; no fingerprint is reviewed twice.
        seeds: number of fresh seeds at rung 0.
    """

    def __init__(self, inner: Strategy[S], rung: int, every: int, seeds: int) -> None:
        self.inner = inner
        self.state_classes = (FunnelState, ReviewSummary, *inner.state_classes) if inner.state_classes else ()
        self.rung = rung
        self.every = every
        self.seeds = seeds

    def init(self) -> FunnelState[S]:
        return FunnelState(self.inner.init())

    def breed(self, state: FunnelState[S], birth: int, rng_for: RngFor) -> Proposal:
        return self.inner.breed(state.inner, birth, rng_for)

    def advance(self, state: FunnelState[S], block: Block) -> FunnelState[S]:
        state = replace(state, inner=self.inner.advance(state.inner, block), births=state.births + len(block.births))
        if block.reviews:
            return replace(state, due=(), summaries={**state.summaries, **self._summaries(block.reviews)})
        return self._with_due_reviews(state, block)

    def limit(self, state: FunnelState[S]) -> Limit | None:
        return self.inner.limit(state.inner)

    def reviews(self, state: FunnelState[S]) -> Sequence[Review]:
        return state.due

    def closing(self, state: FunnelState[S]) -> Sequence[Review]:
        # What is due of a run that is shorter than a block is the start program, which the winner is compared with.
        due = [review.individual for review in state.due]
        return self._missing_reviews(state, [*due, self.inner.winner(state.inner)])

    def winner(self, state: FunnelState[S]) -> Individual | None:
        if not state.summaries:
            return self.inner.winner(state.inner)
        summaries = state.summaries.values()
        of_start = max((summary.longer for summary in summaries if summary.individual.birth == 0), default=FAILED)
        lasting = [summary for summary in summaries if summary.longer >= of_start]
        return max(lasting, key=lambda summary: (summary.fresh, -summary.individual.birth)).individual

    def _with_due_reviews(self, state: FunnelState[S], block: Block) -> FunnelState[S]:
        start = [scored.individual for scored in block.births if scored.individual.birth == 0]
        if state.births - state.last < self.every and not start:
            return state
        due = self._missing_reviews(state, [*start, self.inner.winner(state.inner)])
        return replace(state, last=state.births, due=due)

    def _missing_reviews(self, state: FunnelState[S], individuals: Sequence[Individual | None]) -> tuple[Review, ...]:
        """The reviews of those individuals that have none yet: at rung 0 with the seeds from 1 on, and at the higher
        rung."""
        new = {
            individual.fingerprint: individual
            for individual in individuals
            if individual and individual.fingerprint not in state.summaries
        }
        levels = [*((0, seed) for seed in range(1, self.seeds + 1)), (self.rung, 0)]
        return tuple(Review(individual, rung, seed) for individual in new.values() for rung, seed in levels)

    def _summaries(self, answers: Sequence[Reviewed]) -> dict[str, ReviewSummary]:
        by_fingerprint: dict[str, list[Reviewed]] = {}
        for answer in answers:
            by_fingerprint.setdefault(answer.review.individual.fingerprint, []).append(answer)
        return {fingerprint: self._summary(reviewed) for fingerprint, reviewed in by_fingerprint.items()}

    def _summary(self, answers: Sequence[Reviewed]) -> ReviewSummary:
        """The summary of one individual's reviews, from their outcomes."""
        fresh: list[float] = []
        longer = FAILED
        for answer in answers:
            fitness = FAILED if answer.outcome.fitness is None else answer.outcome.fitness
            if answer.review.rung == 0:
                fresh.append(fitness)
            else:
                longer = fitness
        return ReviewSummary(answers[0].review.individual, mean(fresh or [0.0]), longer)
