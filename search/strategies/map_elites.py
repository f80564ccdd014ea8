"""MAP-Elites (Mouret and Clune 2015, arXiv 1504.04909): many different good policies, a map of what they do.

The cells of a map divide the behaviours that a policy can have, such as the places where its robot comes to rest. Each
cell keeps the policy with the highest fitness of all that behaved so. A child mutates the policy of a cell that is
drawn uniformly from the occupied cells, so that rare behaviours have as many children as common behaviours.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from germline.search.behaviour_map import BehaviourMap, Born, MapLayout, Occupant
from germline.search.behaviours import descriptor
from germline.search.individual import Block, Individual, Proposal, Review, RngFor, Scored
from germline.search.strategies.random_search import random_proposal
from germline.search.strategies.truncation import Truncation, TruncationState
from germline.search.strategy import Strategy


@dataclass(frozen=True, slots=True)
class MapElitesState:
    """`returns` is the state of the Deep GA, which chooses the winner, and `behaviours` is the map."""

    returns: TruncationState
    behaviours: BehaviourMap[Individual]


class MapElites(Strategy[MapElitesState]):
    """MAP-Elites, with the mutation and the elite reviews of the Deep GA.

    As long as the map is empty, genomes are drawn from the space. Of a block, only individuals that hold a cell at its
    end are reviewed, or may become the winner: without reviews, the winner is the fittest individual of the map.

    Args:
        deep_ga: the Deep GA, which mutates and chooses the winner; it has no parents of its own.
        layout: the cells of the map.
    """

    state_classes: tuple[type[Any], ...] = (MapElitesState, TruncationState, BehaviourMap, Occupant)

    def __init__(self, deep_ga: Truncation, layout: MapLayout) -> None:
        self.deep_ga = deep_ga
        self.layout = layout

    def init(self) -> MapElitesState:
        return MapElitesState(self.deep_ga.init(), self.layout.empty())

    def breed(self, state: MapElitesState, birth: int, rng_for: RngFor) -> Proposal:
        occupants = state.behaviours.occupants
        if not occupants:
            return random_proposal(self.deep_ga.space, birth, rng_for)
        rng = rng_for(birth)
        return self.deep_ga.child(occupants[int(rng.integers(len(occupants)))].individual, birth, rng)

    def advance(self, state: MapElitesState, block: Block) -> MapElitesState:
        if block.reviews:
            return replace(state, returns=self.deep_ga.advance(state.returns, block))
        behaviours = self.layout.add(state.behaviours, self._located(block.births))
        holders = {occupant.individual.birth for occupant in behaviours.occupants}
        entered = tuple(scored for scored in block.births if scored.individual.birth in holders)
        return MapElitesState(self.deep_ga.advance(state.returns, Block(births=entered)), behaviours)

    def reviews(self, state: MapElitesState) -> Sequence[Review]:
        return self.deep_ga.reviews(state.returns)

    def closing(self, state: MapElitesState) -> Sequence[Review]:
        return self.deep_ga.closing(state.returns)

    def winner(self, state: MapElitesState) -> Individual | None:
        return self.deep_ga.winner(state.returns)

    def _located(self, births: Sequence[Scored]) -> list[Born[Individual]]:
        """The births with an ok outcome and a finite behaviour."""
        least = 1 + max(self.layout.behaviours)
        located = []
        for scored in births:
            if scored.fitness is not None:
                behaviour = self.layout.chosen(descriptor(scored.outcome, least))
                if behaviour is not None:
                    located.append(Born(scored.individual, scored.fitness, behaviour))
        return located
