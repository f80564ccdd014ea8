"""Local search (White et al. 2021): moves from a genome to a better neighbour until no neighbour is better, and then
starts again from random genomes.

It is hard to beat where neighbours have similar fitness. A neighbour with a known fingerprint is a cache hit.
"""

from dataclasses import dataclass, replace
from typing import Any

from germline.programs.space import NeighbourSpace
from germline.search.individual import Block, Individual, Proposal, RngFor, Scored
from germline.search.neighbourhood import neighbour
from germline.search.strategy import Strategy


@dataclass(frozen=True, slots=True)
class LocalState:
    """The state of a climb.

    Attributes:
        current: while `climbing`, the centre whose neighbours are born; before, the best of these random genomes, None
            until one has an ok outcome.
        climbing: whether neighbours are born, and not random genomes.
        since: the first birth among the neighbours of this centre, or among these random genomes.
        best: the best individual of the run.
    """

    current: Scored | None = None
    climbing: bool = False
    since: int = 0
    best: Scored | None = None


class LocalSearch(Strategy[LocalState]):
    """Hill climbing with restarts, by fitness. It needs depth 0: no block may be in flight beyond the current block.

    Args:
        space: the space whose neighbours are visited.
        starts: least number of random genomes scored before each climb; the climb begins with the next block.
    """

    state_classes = (LocalState,)

    def __init__(self, space: NeighbourSpace[Any], starts: int) -> None:
        self.space = space
        self.starts = starts

    def init(self) -> LocalState:
        return LocalState()

    def breed(self, state: LocalState, birth: int, rng_for: RngFor) -> Proposal:
        centre = state.current.individual if state.current and state.climbing else None
        return neighbour(self.space, centre, state.since, birth, rng_for)

    def advance(self, state: LocalState, block: Block) -> LocalState:
        if not block.births:
            return state
        top = max((scored for scored in block.births if scored.fitness is not None), key=_fitness, default=None)
        best = _fitter(state.best, top)
        next_birth = block.births[-1].individual.birth + 1
        if not state.climbing:
            current = _fitter(state.current, top)
            climbing = next_birth - state.since >= self.starts and current is not None
            return LocalState(current, climbing, next_birth if climbing else state.since, best)
        assert state.current is not None
        if top is not None and _fitness(top) > _fitness(state.current):
            return LocalState(top, True, next_birth, best)
        neighbours = self.space.neighbours(self.space.read(state.current.individual.genome))
        if next_birth - state.since >= len(neighbours):
            return LocalState(None, False, next_birth, best)
        return replace(state, best=best)

    def winner(self, state: LocalState) -> Individual | None:
        return state.best.individual if state.best else None


def _fitness(scored: Scored) -> float:
    assert scored.fitness is not None
    return scored.fitness


def _fitter(first: Scored | None, second: Scored | None) -> Scored | None:
    """The individual with the higher fitness, the first if they are equal; None if both are None."""
    return max((scored for scored in (first, second) if scored), key=_fitness, default=None)
