"""Operators from outside, around any strategy: a share of its children is asked of them.

What the strategy itself would breed stays the answer for whatever such an operator cannot give, so that the lineage
depends on recorded answers alone. The choice draws from a generator of its own: with a share of 0 a search breeds what
it breeds without the operator.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from germline.evaluators.hurdle import Limit
from germline.search.individual import Ask, Block, Individual, Proposal, Review, RngFor, Scored
from germline.search.strategy import Strategy

S = TypeVar("S")

BEST, RECENT = 16, 32
"""Individuals of different fingerprints that are remembered: the fittest, and the latest with an ok outcome."""


@dataclass(frozen=True, slots=True)
class OutsideState(Generic[S]):
    """The state of the wrapped strategy, the fittest individuals, the best first, and the latest, oldest first."""

    inner: S
    best: tuple[Scored, ...] = ()
    recent: tuple[Scored, ...] = ()


class OutsideOperators(Strategy[OutsideState[S]], Generic[S]):
    """Asks operators from outside for a share of the children of another strategy.

    Births without parents, variants and numeric searches of constants are left to that strategy, and so is
    everything before the first outcomes.

    Args:
        inner: the strategy that breeds otherwise.
        shares: of each operator, 0 to 1; at most 1 together.
        replaced: the operators of `inner` whose children may be asked for; None: all.
        first: the first birth that may be asked for.
    """

    def __init__(
        self, inner: Strategy[S], shares: Mapping[str, float], replaced: Collection[str] | None = None, first: int = 0
    ) -> None:
        self.inner = inner
        self.shares = shares
        self.replaced = replaced
        self.first = first
        self.state_classes = (OutsideState, *inner.state_classes) if inner.state_classes else ()

    def init(self) -> OutsideState[S]:
        return OutsideState(self.inner.init())

    def breed(self, state: OutsideState[S], birth: int, rng_for: RngFor) -> Proposal:
        proposal = self.inner.breed(state.inner, birth, rng_for)
        if birth < self.first or not state.best or not self._may_be_replaced(proposal):
            return proposal
        rng = rng_for(birth).spawn(1)[0]
        roll = float(rng.random())
        for operator, share in self.shares.items():
            roll -= share
            if roll < 0:
                return replace(proposal, ask=Ask(operator, int(rng.integers(2**32)), state.best, state.recent))
        return proposal

    def advance(self, state: OutsideState[S], block: Block) -> OutsideState[S]:
        inner = self.inner.advance(state.inner, block)
        ok = [scored for scored in block.births if scored.fitness is not None]
        if not ok:
            return replace(state, inner=inner)
        first = {scored.individual.fingerprint: scored for scored in reversed((*state.best, *ok))}
        best = sorted(first.values(), key=_rank)[:BEST]
        latest = {scored.individual.fingerprint: scored for scored in (*state.recent, *ok)}
        return OutsideState(inner, tuple(best), tuple(latest.values())[-RECENT:])

    def limit(self, state: OutsideState[S]) -> Limit | None:
        return self.inner.limit(state.inner)

    def reviews(self, state: OutsideState[S]) -> Sequence[Review]:
        return self.inner.reviews(state.inner)

    def closing(self, state: OutsideState[S]) -> Sequence[Review]:
        return self.inner.closing(state.inner)

    def winner(self, state: OutsideState[S]) -> Individual | None:
        return self.inner.winner(state.inner)

    def _may_be_replaced(self, proposal: Proposal) -> bool:
        name = proposal.operator.partition("(")[0]
        return bool(proposal.parents) and (self.replaced is None or name in self.replaced)


def _rank(scored: Scored) -> tuple[float, int]:
    assert scored.fitness is not None
    return -scored.fitness, scored.individual.birth
