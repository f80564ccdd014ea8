"""Islands: several populations that evolve apart, each from a start genome of its own, and exchange their best.

Births 0, 1, … are the start genomes, a birth for each island; after them batches of births go to the islands in turn.
A birth whose constants another strategy drew (`constant_tuning.py`) goes to the island of the structure that it tunes.
From time to time the best individual of each island enters the population of the next (a ring), as its youngest; the
oldest there is removed. The child of a migrant has the migrant for its parent, so a lineage may lead from one start
genome to another.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from germline.evaluators.hurdle import Limit
from germline.search.individual import Block, Individual, Proposal, RngFor
from germline.search.strategies.aging import AgingEvolution, AgingState, Member
from germline.search.strategies.constant_tuning import OPERATOR as TUNED
from germline.search.strategy import Strategy


@dataclass(frozen=True, slots=True)
class IslandsState:
    """The state of each island, and the number of births so far."""

    islands: tuple[AgingState, ...]
    births: int = 0


class Islands(Strategy[IslandsState]):
    """Aging evolution on several islands.

    Args:
        islands: the evolution of each. That at position i has `seed_birth` i; all have the same `variants`.
        every: births, of all islands together, between two migrations. A migration takes place at the end of a block in
            which the number of births reaches or passes a multiple of this number.
    """

    state_classes = (IslandsState, AgingState, Member)

    def __init__(self, islands: Sequence[AgingEvolution], every: int) -> None:
        self.islands = islands
        self.every = every

    def init(self) -> IslandsState:
        return IslandsState(tuple(island.init() for island in self.islands))

    def breed(self, state: IslandsState, birth: int, rng_for: RngFor) -> Proposal:
        i = self._island_of(birth)
        return self.islands[i].breed(state.islands[i], birth, rng_for)

    def advance(self, state: IslandsState, block: Block) -> IslandsState:
        blocks = [
            Block(births=tuple(scored for scored in block.births if self._home_of(scored.individual) == i))
            for i in range(len(self.islands))
        ]
        states = [
            island.advance(each, own) for island, each, own in zip(self.islands, state.islands, blocks, strict=True)
        ]
        births = state.births + len(block.births)
        if births // self.every > state.births // self.every:
            states = _migrated(states)
        return IslandsState(tuple(states), births)

    def limit(self, state: IslandsState) -> Limit | None:
        """The most lenient threshold of all islands; None if an island has none."""
        limits = [island.limit(each) for island, each in zip(self.islands, state.islands, strict=True)]
        numbers = [limit for limit in limits if isinstance(limit, float)]
        return max(numbers) if len(numbers) == len(limits) else None

    def winner(self, state: IslandsState) -> Individual | None:
        """The best individual of all islands; among equals that of the first island."""
        best = [each.best for each in state.islands if each.best is not None]
        return max(best, key=lambda member: member.rank).individual if best else None

    def _home_of(self, individual: Individual) -> int:
        """The island that an individual enters: of tuned constants that of the parent, which has the structure."""
        return self._island_of(individual.parents[0] if individual.operator == TUNED else individual.birth)

    def _island_of(self, birth: int) -> int:
        count = len(self.islands)
        return birth if birth < count else birth // self.islands[0].variants % count


def _migrated(states: Sequence[AgingState]) -> list[AgingState]:
    """The islands after the best of the current epoch of each has entered the population of the next."""
    result = []
    for i, state in enumerate(states):
        migrant = states[i - 1].epoch_best
        if migrant is not None and migrant.fitness is not None:
            state = replace(state, population=(*state.population[1:], migrant))
        result.append(state)
    return result
