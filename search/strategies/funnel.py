"""The funnel of Lion's search: what looks best on the proxy task is tried again before anyone believes in it.

It wraps another strategy. The start genome and then every new best is reviewed: with fresh seeds, to see whether it is
real or was lucky with the seeds of the search, and at a longer rung, to see whether it lasts. The answers stand in the
database beside the proxy's. The search hands over the individual with the best mean over fresh seeds, of those that do
no worse than the start genome at the longer rung.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import fmean
from typing import Any, Generic, TypeVar

from germline.evaluators.hurdle import Limit
from germline.programs.space import Space
from germline.search.individual import Block, Individual, Proposal, Review, Reviewed, RngFor
from germline.search.strategy import Strategy

S = TypeVar("S")

FAILED = float("-inf")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What reviews said of an individual: its mean fitness over fresh seeds, and its fitness at the longer rung."""

    individual: Individual
    fresh: float
    longer: float


@dataclass(frozen=True, slots=True)
class FunnelState(Generic[S]):
    """The wrapped strategy's state, the births at the last review, the reviews that are due, and the verdicts so far
    by fingerprint, in the order of the reviews."""

    inner: S
    births: int = 0
    last: int = 0
    due: tuple[Review, ...] = ()
    verdicts: Mapping[str, Verdict] = field(default_factory=dict)


class Funnel(Generic[S]):
    """Reviews the best of another strategy.

    Args:
        inner: the strategy that breeds.
        rung: the longer rung.
        every: births between two reviews, at least; a best that is still the best is not reviewed again.
        seeds: how many fresh seeds at rung 0.
    """

    def __init__(self, inner: Strategy[S], rung: int, every: int, seeds: int) -> None:
        self.inner = inner
        self.rung = rung
        self.every = every
        self.seeds = seeds

    def init(self) -> FunnelState[S]:
        return FunnelState(self.inner.init())

    def breed(self, state: FunnelState[S], birth: int, space: Space[Any], rng_for: RngFor) -> Proposal:
        return self.inner.breed(state.inner, birth, space, rng_for)

    def advance(self, state: FunnelState[S], block: Block) -> FunnelState[S]:
        state = replace(state, inner=self.inner.advance(state.inner, block), births=state.births + len(block.births))
        if block.reviews:
            return replace(state, due=(), verdicts={**state.verdicts, **self._verdicts(block.reviews)})
        return self._ask(state, block)

    def limit(self, state: FunnelState[S]) -> Limit | None:
        return self.inner.limit(state.inner)

    def reviews(self, state: FunnelState[S]) -> Sequence[Review]:
        return state.due

    def closing(self, state: FunnelState[S]) -> Sequence[Review]:
        return self._wanted(state, [self.inner.best(state.inner)])

    def best(self, state: FunnelState[S]) -> Individual | None:
        if not state.verdicts:
            return self.inner.best(state.inner)
        bar = max((v.longer for v in state.verdicts.values() if v.individual.birth == 0), default=FAILED)
        lasting = [verdict for verdict in state.verdicts.values() if verdict.longer >= bar]
        return max(lasting, key=lambda verdict: (verdict.fresh, -verdict.individual.birth)).individual

    def _ask(self, state: FunnelState[S], block: Block) -> FunnelState[S]:
        start = [scored.individual for scored in block.births if scored.individual.birth == 0]
        if state.births - state.last < self.every and not start:
            return state
        return replace(state, last=state.births, due=self._wanted(state, [*start, self.inner.best(state.inner)]))

    def _wanted(self, state: FunnelState[S], individuals: Sequence[Individual | None]) -> tuple[Review, ...]:
        """The reviews of those that have none yet."""
        new = {one.fingerprint: one for one in individuals if one and one.fingerprint not in state.verdicts}
        levels = [*((0, seed) for seed in range(1, self.seeds + 1)), (self.rung, 0)]
        return tuple(Review(one, rung, seed) for one in new.values() for rung, seed in levels)

    def _verdicts(self, answers: Sequence[Reviewed]) -> dict[str, Verdict]:
        found: dict[str, list[Reviewed]] = {}
        for answer in answers:
            found.setdefault(answer.review.individual.fingerprint, []).append(answer)
        return {key: self._verdict(of_one) for key, of_one in found.items()}

    def _verdict(self, answers: Sequence[Reviewed]) -> Verdict:
        fitness = {
            (answer.review.rung, answer.review.seed): FAILED
            if answer.outcome.fitness is None
            else answer.outcome.fitness
            for answer in answers
        }
        fresh = [value for (rung, _), value in fitness.items() if rung == 0] or [0.0]
        return Verdict(answers[0].review.individual, fmean(fresh), fitness[self.rung, 0])
