"""Local search (White et al. 2021): moves from a genome to a better neighbour until no neighbour is better, and then
starts again from random genomes.

It is hard to beat where neighbours have similar fitness. A neighbour with a known fingerprint is a cache hit.

With patience a climb does not end at the first genome without a better neighbour. The neighbours of the next best
genomes of the climb are visited too, and a neighbour that is better than all of them is the next centre: a way out of a
local optimum that needs a step down first.
"""

from collections.abc import Iterable
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
        peak: the best individual of this climb; None before one has an ok outcome.
        waiting: candidates for the next centre: the fittest individuals of this climb, the best first, at most as many
            as the patience, without the present centre and those of `visited`.
        visited: fingerprints of the centres of this climb whose neighbours were all visited.
        stale: how many of these centres came after the peak.
    """

    current: Scored | None = None
    climbing: bool = False
    since: int = 0
    best: Scored | None = None
    peak: Scored | None = None
    waiting: tuple[Scored, ...] = ()
    visited: tuple[str, ...] = ()
    stale: int = 0


class LocalSearch(Strategy[LocalState]):
    """Hill climbing with restarts, by fitness. It needs depth 0: no block may be in flight beyond the current block.

    Args:
        space: the space whose neighbours are visited.
        starts: least number of random genomes scored before each climb; the climb begins with the next block.
        patience: after the first centre without a neighbour that is better than the peak of the climb, how many more
            such centres there may be.
    """

    state_classes = (LocalState,)

    def __init__(self, space: NeighbourSpace[Any], starts: int, patience: int = 0) -> None:
        self.space = space
        self.starts = starts
        self.patience = patience

    def init(self) -> LocalState:
        return LocalState()

    def breed(self, state: LocalState, birth: int, rng_for: RngFor) -> Proposal:
        centre = state.current.individual if state.current and state.climbing else None
        return neighbour(self.space, centre, state.since, birth, rng_for)

    def advance(self, state: LocalState, block: Block) -> LocalState:
        if not block.births:
            return state
        scored = [each for each in block.births if each.fitness is not None]
        top = max(scored, key=_fitness, default=None)
        next_birth = block.births[-1].individual.birth + 1
        state = replace(state, best=_fitter(state.best, top))
        if not state.climbing:
            current = _fitter(state.current, top)
            waiting = self._waiting(state, [*scored, *filter(None, [state.current])], current)
            if next_birth - state.since < self.starts or current is None:
                return replace(state, current=current, waiting=waiting)
            return replace(state, current=current, climbing=True, since=next_birth, peak=current, waiting=waiting)
        centre, peak = state.current, state.peak
        assert centre is not None and peak is not None
        if top is not None and _fitness(top) > _fitness(peak):
            waiting = self._waiting(state, [*scored, centre], top)
            return replace(state, current=top, since=next_birth, peak=top, waiting=waiting, stale=0)
        state = replace(state, waiting=self._waiting(state, scored, centre))
        neighbours = self.space.neighbours(self.space.read(centre.individual.genome))
        return self._after_centre(state, next_birth) if next_birth - state.since >= len(neighbours) else state

    def winner(self, state: LocalState) -> Individual | None:
        return state.best.individual if state.best else None

    def _after_centre(self, state: LocalState, next_birth: int) -> LocalState:
        """The state after all neighbours of a centre were visited: the next centre, or the end of the climb."""
        assert state.current is not None
        if state.stale >= self.patience or not state.waiting:
            return LocalState(since=next_birth, best=state.best)
        visited = (*state.visited, state.current.individual.fingerprint)
        current, *waiting = state.waiting
        return replace(
            state,
            current=current,
            since=next_birth,
            waiting=tuple(waiting),
            visited=visited,
            stale=state.stale + 1,
        )

    def _waiting(self, state: LocalState, scored: Iterable[Scored], centre: Scored | None) -> tuple[Scored, ...]:
        """The individuals of a climb that may become centres, after a block with these; each fingerprint once."""
        if not self.patience:
            return ()
        known = {*state.visited, *([centre.individual.fingerprint] if centre else [])}
        by_fingerprint: dict[str, Scored] = {}
        for each in [*state.waiting, *scored]:
            if each.individual.fingerprint not in known:
                by_fingerprint.setdefault(each.individual.fingerprint, each)
        ordered = sorted(by_fingerprint.values(), key=lambda each: (-_fitness(each), each.individual.birth))
        return tuple(ordered[: self.patience])


def _fitness(scored: Scored) -> float:
    assert scored.fitness is not None
    return scored.fitness


def _fitter(first: Scored | None, second: Scored | None) -> Scored | None:
    """The individual with the higher fitness, the first if they are equal; None if both are None."""
    return max((scored for scored in (first, second) if scored), key=_fitness, default=None)
