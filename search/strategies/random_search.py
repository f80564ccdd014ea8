"""Random search: every genome is drawn afresh. The baseline that a strategy has to beat."""

from dataclasses import dataclass
from typing import Any

from germline.programs.space import Space
from germline.search.individual import Block, Individual, Proposal, RngFor
from germline.search.strategy import Strategy


@dataclass(frozen=True, slots=True)
class RandomState:
    """The best individual so far, and its fitness (None before anything was scored well)."""

    best: Individual | None
    fitness: float | None = None


class RandomSearch(Strategy[RandomState]):
    """Draws genomes from the space; birth 0 is the start genome, for comparison.

    Args:
        start: text of the start genome; None: birth 0 is drawn as well.
        fingerprint: its fingerprint.
    """

    def __init__(self, start: str | None, fingerprint: str) -> None:
        self.seed = Individual(0, 0, (), "seed", start, fingerprint) if start else None

    def init(self) -> RandomState:
        return RandomState(self.seed)

    def breed(self, state: RandomState, birth: int, space: Space[Any], rng_for: RngFor) -> Proposal:
        if birth == 0 and self.seed:
            return Proposal(self.seed.genome, (), "seed")
        return Proposal(space.write(space.draw(rng_for(birth))), (), "random")

    def advance(self, state: RandomState, block: Block) -> RandomState:
        for scored in block.births:
            if scored.fitness is not None and (state.fitness is None or scored.fitness > state.fitness):
                state = RandomState(scored.individual, scored.fitness)
        return state

    def best(self, state: RandomState) -> Individual | None:
        return state.best
