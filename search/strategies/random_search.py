"""Random search: every genome is drawn from the space, independently of all others. A baseline."""

from dataclasses import dataclass
from typing import Any

from germline.programs.space import Space
from germline.search.individual import Block, Individual, Proposal, RngFor
from germline.search.strategy import Strategy


@dataclass(frozen=True, slots=True)
class RandomState:
    """The best individual so far, with its fitness.

    Before any individual has an ok outcome, `fitness` is None, and `best` is the start genome or None.
    """

    best: Individual | None
    fitness: float | None = None


class RandomSearch(Strategy[RandomState]):
    """Draws genomes from the space; birth 0 is the start genome, for comparison.

    Args:
        space: the space to draw from.
        start: the start genome; None: birth 0 is drawn as well.
    """

    state_classes = (RandomState,)

    def __init__(self, space: Space[Any], start: Any | None = None) -> None:
        self.space = space
        self.start = start

    def init(self) -> RandomState:
        return RandomState(start_individual(self.space, self.start))

    def breed(self, state: RandomState, birth: int, rng_for: RngFor) -> Proposal:
        if birth == 0 and self.start is not None:
            return Proposal(self.start, (), "seed")
        return random_proposal(self.space, birth, rng_for)

    def advance(self, state: RandomState, block: Block) -> RandomState:
        for scored in block.births:
            if scored.fitness is not None and (state.fitness is None or scored.fitness > state.fitness):
                state = RandomState(scored.individual, scored.fitness)
        return state

    def winner(self, state: RandomState) -> Individual | None:
        return state.best


def start_individual(space: Space[Any], start: Any | None, birth: int = 0) -> Individual | None:
    """The birth in block 0 that is the start genome of a run or of an island; None without a start genome."""
    if start is None:
        return None
    return Individual(birth, 0, (), "seed", space.write(start), space.fingerprint(start))


def random_proposal(space: Space[Any], birth: int, rng_for: RngFor) -> Proposal:
    """The proposal of a genome drawn from the space."""
    drawn = space.draw(rng_for(birth))
    return Proposal(drawn.genome, (), "random", drawn.rejected)
