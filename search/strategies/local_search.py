"""Local search: from a good genome to its best neighbour, until none is better; then again from somewhere else.

White et al. (2021) show that it is hard to beat where neighbours are alike. A neighbour that was scored before, under
any name, costs nothing.
"""

from dataclasses import dataclass, replace
from typing import Any

from germline.programs.space import NeighbourSpace, Space
from germline.search.individual import Block, Individual, Proposal, RngFor, Scored
from germline.search.neighbourhood import neighbour
from germline.search.strategy import Strategy


@dataclass(frozen=True, slots=True)
class LocalState:
    """`current` is the best of the starts so far or, while it is `climbing`, where the search stands; `since` is the
    first birth of these starts, or the first that was bred from there. `best` is the best ever."""

    current: Scored | None = None
    climbing: bool = False
    since: int = 0
    best: Scored | None = None


class LocalSearch(Strategy[LocalState]):
    """Hill climbing with restarts, by fitness. It needs a pipeline of depth 0.

    Args:
        space: whose neighbours are tried.
        starts: genomes that are scored before the climb begins, and before each restart.
    """

    def __init__(self, space: NeighbourSpace[Any], starts: int) -> None:
        self.space = space
        self.starts = starts

    def init(self) -> LocalState:
        return LocalState()

    def breed(self, state: LocalState, birth: int, space: Space[Any], rng_for: RngFor) -> Proposal:
        centre = state.current.individual if state.current and state.climbing else None
        return neighbour(self.space, centre, state.since, birth, rng_for)

    def advance(self, state: LocalState, block: Block) -> LocalState:
        if not block.births:
            return state
        top = max((one for one in block.births if one.fitness is not None), key=_fitness, default=None)
        best = _better(state.best, top)
        born = block.births[-1].individual.birth + 1
        if not state.climbing:
            current = _better(state.current, top)
            climbing = born - state.since >= self.starts and current is not None
            return LocalState(current, climbing, born if climbing else state.since, best)
        assert state.current is not None
        if top is not None and _fitness(top) > _fitness(state.current):
            return LocalState(top, True, born, best)
        if born - state.since >= len(self.space.neighbours(self.space.read(state.current.individual.genome))):
            return LocalState(None, False, born, best)
        return replace(state, best=best)

    def best(self, state: LocalState) -> Individual | None:
        return state.best.individual if state.best else None


def _fitness(scored: Scored) -> float:
    assert scored.fitness is not None
    return scored.fitness


def _better(one: Scored | None, other: Scored | None) -> Scored | None:
    """The fitter one; of equals the first."""
    return max((found for found in (one, other) if found), key=_fitness, default=None)
