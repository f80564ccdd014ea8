"""The funnel of Lion's search: what looks best on the proxy task is trained for longer before anyone believes in it.

It wraps another strategy. The start genome and then every new best is reviewed at a longer rung; the answers stand in
the database beside the proxy's. The search hands over the latest best, and so the fittest on the proxy, of those that
beat the start genome at the longer rung too.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from germline.programs.space import Space
from germline.search.individual import Block, Dice, Individual, Proposal, Review
from germline.search.strategy import Strategy

S = TypeVar("S")


@dataclass(frozen=True, slots=True)
class FunnelState(Generic[S]):
    """The wrapped strategy's state, the fingerprints that were reviewed, and the births at the last review.

    `bar` is the start genome's fitness at the funnel's rung, and `winner` the latest best that passed it.
    """

    inner: S
    births: int = 0
    last: int = 0
    reviewed: tuple[str, ...] = ()
    due: tuple[Review, ...] = ()
    bar: float = float("-inf")
    winner: Individual | None = None


class Funnel(Generic[S]):
    """Reviews the best of another strategy.

    Args:
        inner: the strategy that breeds.
        rung: where reviews are scored.
        every: births between two reviews, at least; a best that is still the best is not reviewed again.
    """

    def __init__(self, inner: Strategy[S], rung: int, every: int) -> None:
        self.inner = inner
        self.rung = rung
        self.every = every

    def init(self) -> FunnelState[S]:
        return FunnelState(self.inner.init())

    def breed(self, state: FunnelState[S], birth: int, space: Space[Any], dice: Dice) -> Proposal:
        return self.inner.breed(state.inner, birth, space, dice)

    def advance(self, state: FunnelState[S], block: Block) -> FunnelState[S]:
        state = replace(state, inner=self.inner.advance(state.inner, block), births=state.births + len(block.births))
        for answer in block.reviews:
            fitness = answer.outcome.fitness
            individual = answer.review.individual
            if fitness is not None and individual.birth == 0:
                state = replace(state, bar=fitness, winner=individual)
            elif fitness is not None and fitness > state.bar:
                state = replace(state, winner=individual)
        return replace(state, due=()) if block.reviews else self._ask(state, block)

    def reviews(self, state: FunnelState[S]) -> Sequence[Review]:
        return state.due

    def best(self, state: FunnelState[S]) -> Individual:
        return state.winner or self.inner.best(state.inner)

    def _ask(self, state: FunnelState[S], block: Block) -> FunnelState[S]:
        first = [scored.individual for scored in block.births if scored.individual.birth == 0 and scored.fitness]
        if state.births - state.last < self.every and not first:
            return state
        wanted = [*first, self.inner.best(state.inner)]
        fresh = {one.fingerprint: one for one in wanted if one.fingerprint not in state.reviewed}
        return replace(
            state,
            last=state.births,
            reviewed=(*state.reviewed, *fresh),
            due=tuple(Review(individual, self.rung, 0) for individual in fresh.values()),
        )
