"""Pareto local search (Paquete et al. 2004): visits the neighbours of each genome of the Pareto front, until every
genome of the front has been a centre, the genome whose neighbours are born; then it goes on from random genomes.

Where neighbours have similar objectives it needs far fewer trainings than a population. A centre is left after the
block in which it was dominated: the individual that dominates it is on the front and can become a centre later.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from germline.evaluators.outcome import Objective
from germline.programs.space import NeighbourSpace
from germline.search import pareto
from germline.search.chance import with_skill
from germline.search.individual import Block, Individual, Proposal, RngFor, Scored
from germline.search.neighbourhood import neighbour
from germline.search.strategy import Strategy


@dataclass(frozen=True, slots=True)
class ParetoLocalState:
    """The front and the centre.

    Attributes:
        front: the Pareto front so far, in the order of birth.
        centre: the individual whose neighbours are born; None: random genomes are drawn.
        since: the first birth among the neighbours of this centre, or among these random genomes.
        tried: fingerprints of all centres so far.
    """

    front: tuple[Scored, ...] = ()
    centre: Scored | None = None
    since: int = 0
    tried: frozenset[str] = frozenset()


class ParetoLocalSearch(Strategy[ParetoLocalState]):
    """Local search over several objectives. It needs depth 0: no block may be in flight beyond the current block.

    Args:
        space: the space whose neighbours are visited.
        objectives: the objectives that compete.
        starts: least number of random genomes drawn before the first centre, and whenever the whole front was tried.
        chance_error: validation error in percent of always answering one class; None: not known.
    """

    state_classes = (ParetoLocalState,)

    def __init__(
        self,
        space: NeighbourSpace[Any],
        objectives: Sequence[Objective],
        starts: int,
        chance_error: float | None = None,
    ) -> None:
        self.space = space
        self.objectives = tuple(objectives)
        self.starts = starts
        self.chance_error = chance_error

    def init(self) -> ParetoLocalState:
        return ParetoLocalState()

    def breed(self, state: ParetoLocalState, birth: int, rng_for: RngFor) -> Proposal:
        centre = state.centre.individual if state.centre else None
        return neighbour(self.space, centre, state.since, birth, rng_for)

    def advance(self, state: ParetoLocalState, block: Block) -> ParetoLocalState:
        if not block.births:
            return state
        state = replace(state, front=self._front(state.front, block))
        next_birth = block.births[-1].individual.birth + 1
        born = next_birth - state.since
        if state.centre is None:
            return self._with_next_centre(state, next_birth) if born >= self.starts else state
        centre = state.centre.individual
        neighbours = self.space.neighbours(self.space.read(centre.genome))
        dominated = all(scored.individual.birth != centre.birth for scored in state.front)
        return self._with_next_centre(state, next_birth) if dominated or born >= len(neighbours) else state

    def winner(self, state: ParetoLocalState) -> Individual | None:
        """The knee of the front, among individuals that beat chance."""
        front = with_skill(state.front, self.chance_error)
        return front[pareto.knee(self._points(front))].individual if front else None

    def _front(self, front: Sequence[Scored], block: Block) -> tuple[Scored, ...]:
        by_fingerprint = {scored.individual.fingerprint: scored for scored in front}
        for scored in block.births:
            if scored.fitness is not None:
                by_fingerprint.setdefault(scored.individual.fingerprint, scored)
        candidates = list(by_fingerprint.values())
        ranks = pareto.fronts(self._points(candidates))
        return tuple(scored for scored, rank in zip(candidates, ranks, strict=True) if rank == 0)

    def _with_next_centre(self, state: ParetoLocalState, next_birth: int) -> ParetoLocalState:
        """The state with a new centre from birth `next_birth` on: of the untried individuals on the front, the one with
        the largest crowding distance. Without any, random genomes follow."""
        untried = [i for i, scored in enumerate(state.front) if scored.individual.fingerprint not in state.tried]
        if not untried:
            return replace(state, centre=None, since=next_birth)
        distance = pareto.crowding(self._points(state.front))
        centre = state.front[max(untried, key=lambda i: (distance[i], -i))]
        return replace(state, centre=centre, since=next_birth, tried=state.tried | {centre.individual.fingerprint})

    def _points(self, individuals: Sequence[Scored]) -> pareto.Points:
        return pareto.minimised([scored.outcome.objectives for scored in individuals], self.objectives)
