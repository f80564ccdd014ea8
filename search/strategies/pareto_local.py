"""Pareto local search (Paquete et al. 2004): from each genome of the front to its neighbours, until the front has none
that was not tried; then on from random ones.

Where neighbours are alike it needs far fewer trainings than a population. A centre is left as soon as something
dominates it: what dominates it is on the front, and is a centre later.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from germline.evaluators.outcome import Objective
from germline.programs.space import NeighbourSpace, Space
from germline.search import pareto
from germline.search.individual import Block, Individual, Proposal, RngFor, Scored
from germline.search.neighbourhood import neighbour
from germline.search.strategy import Strategy


@dataclass(frozen=True, slots=True)
class ParetoLocalState:
    """`front` is what nothing dominates so far, in the order of birth. The neighbours of `centre` are born from birth
    `since` on; without a centre genomes are drawn. `tried` are the fingerprints that have been centres."""

    front: tuple[Scored, ...] = ()
    centre: Scored | None = None
    since: int = 0
    tried: frozenset[str] = frozenset()


class ParetoLocalSearch(Strategy[ParetoLocalState]):
    """Local search over some objectives. It needs a pipeline of depth 0.

    Args:
        space: whose neighbours are tried.
        objectives: what competes, by name and direction.
        starts: genomes that are drawn before the first centre, and whenever no centre is left.
    """

    def __init__(self, space: NeighbourSpace[Any], objectives: Sequence[Objective], starts: int) -> None:
        self.space = space
        self.objectives = tuple(objectives)
        self.starts = starts

    def init(self) -> ParetoLocalState:
        return ParetoLocalState()

    def breed(self, state: ParetoLocalState, birth: int, space: Space[Any], rng_for: RngFor) -> Proposal:
        centre = state.centre.individual if state.centre else None
        return neighbour(self.space, centre, state.since, birth, rng_for)

    def advance(self, state: ParetoLocalState, block: Block) -> ParetoLocalState:
        if not block.births:
            return state
        state = replace(state, front=self._front(state.front, block))
        born = block.births[-1].individual.birth + 1
        if state.centre is None:
            return self._moved(state, born) if born - state.since >= self.starts else state
        around = self.space.neighbours(self.space.read(state.centre.individual.genome))
        beaten = all(one.individual.birth != state.centre.individual.birth for one in state.front)
        return self._moved(state, born) if beaten or born - state.since >= len(around) else state

    def best(self, state: ParetoLocalState) -> Individual | None:
        """The knee of the front."""
        return state.front[pareto.knee(self._points(state.front))].individual if state.front else None

    def _front(self, front: Sequence[Scored], block: Block) -> tuple[Scored, ...]:
        known = {one.individual.fingerprint: one for one in front}
        for scored in block.births:
            if scored.fitness is not None:
                known.setdefault(scored.individual.fingerprint, scored)
        everyone = list(known.values())
        first = pareto.fronts(self._points(everyone)) == 0
        return tuple(one for one, on in zip(everyone, first, strict=True) if on)

    def _moved(self, state: ParetoLocalState, born: int) -> ParetoLocalState:
        """The next centre: of the front's untried ones the one with the most room around it."""
        open_ = [i for i, one in enumerate(state.front) if one.individual.fingerprint not in state.tried]
        if not open_:
            return replace(state, centre=None, since=born)
        room = pareto.crowding(self._points(state.front))
        centre = state.front[max(open_, key=lambda i: (room[i], -i))]
        return replace(state, centre=centre, since=born, tried=state.tried | {centre.individual.fingerprint})

    def _points(self, scored: Sequence[Scored]) -> pareto.Points:
        return pareto.minimised([one.outcome.objectives for one in scored], self.objectives)
