"""The tuning of constants: a part of the births search the constants of the best structures, while another strategy
goes on with the rest.

A new structure has the constants that it was born with, and is judged by them: a good structure with poor constants is
lost. So the best structure that was not tuned yet gets some generations of a numeric search (`sep_cma_es`) over its
constants. Its births are ordinary individuals of the run: the other strategy sees them like its own, and they become
parents if they are good.

Blocks are bred while the blocks before them are still being scored. There are as many searches at a time as blocks in
flight, each with a structure of its own, and they draw in turn: so each knows its last generation.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from germline.evaluators.hurdle import Limit
from germline.programs.space import TunableSpace
from germline.search.individual import Block, Individual, Proposal, Review, RngFor, Scored
from germline.search.strategies.sep_cma_es import Normal, draw, initial, tell
from germline.search.strategy import Strategy

S = TypeVar("S")

OPERATOR = "cma"
"""The operator of births whose constants were drawn by a numeric search."""
FIRST_STEP = 1.0
"""The deviation of each constant in the first generation, in octaves."""
KEPT = 8
"""The number of structures that wait to be tuned."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A structure with the best individual that has it, and this individual's fitness."""

    structure: str
    individual: Individual
    fitness: float


@dataclass(frozen=True, slots=True)
class Tuning:
    """The search for the constants of a structure: the individual whose constants are the origin, the distribution that
    constants are drawn from, and `left`, the number of generations left, with the present one."""

    structure: str
    origin: Individual
    distribution: Normal
    left: int


@dataclass(frozen=True, slots=True)
class TuningState(Generic[S]):
    """The state of the other strategy and of the tuning.

    Attributes:
        inner: state of the other strategy.
        tunings: the search of each place; None where none is under way.
        waiting: structures that were not tuned yet, the best first; at most `KEPT`.
        tuned: the structures that were or are being tuned, in order.
    """

    inner: S
    tunings: tuple[Tuning | None, ...]
    waiting: tuple[Candidate, ...] = ()
    tuned: tuple[str, ...] = ()


class ConstantTuning(Strategy[TuningState[S]], Generic[S]):
    """Adds the tuning of constants to another strategy.

    Args:
        space: the space of the genomes.
        inner: the strategy of the other births.
        every: of so many successive births the last is drawn by a numeric search; about `block / every` births of a
            block are a generation, at least 2.
        generations: number of generations for which a structure is tuned.
        block: births in a block.
        places: number of structures tuned at a time: depth + 1, so that each block in flight has its own.
    """

    def __init__(
        self, space: TunableSpace[Any], inner: Strategy[S], every: int, generations: int, block: int, places: int
    ) -> None:
        self.space = space
        self.inner = inner
        own = (TuningState, Tuning, Candidate, Normal)
        self.state_classes = (*own, *inner.state_classes) if inner.state_classes else ()
        self.every = every
        self.generations = generations
        self.block = block
        self.places = places

    def init(self) -> TuningState[S]:
        return TuningState(self.inner.init(), (None,) * self.places)

    def breed(self, state: TuningState[S], birth: int, rng_for: RngFor) -> Proposal:
        tuning = state.tunings[birth // self.block % self.places]
        if tuning is None or (birth + 1) % self.every:
            return self.inner.breed(state.inner, birth, rng_for)
        octaves = draw(tuning.distribution, rng_for(birth))
        return Proposal(
            self.space.moved(self.space.read(tuning.origin.genome), octaves), (tuning.origin.birth,), OPERATOR
        )

    def advance(self, state: TuningState[S], block: Block) -> TuningState[S]:
        state = replace(state, inner=self.inner.advance(state.inner, block))
        if not block.births:
            return state
        place = block.births[0].individual.birth // self.block % self.places
        tuning = state.tunings[place]
        if tuning is not None:
            tuning = self._next_generation(tuning, block.births)
        waiting = self._waiting(state, block.births)
        tuned = state.tuned
        if tuning is None and waiting:
            tuning, waiting = self._begun(waiting[0]), waiting[1:]
            tuned = (*tuned, tuning.structure)
        tunings = (*state.tunings[:place], tuning, *state.tunings[place + 1 :])
        return replace(state, tunings=tunings, waiting=waiting, tuned=tuned)

    def limit(self, state: TuningState[S]) -> Limit | None:
        return self.inner.limit(state.inner)

    def reviews(self, state: TuningState[S]) -> Sequence[Review]:
        return self.inner.reviews(state.inner)

    def closing(self, state: TuningState[S]) -> Sequence[Review]:
        return self.inner.closing(state.inner)

    def winner(self, state: TuningState[S]) -> Individual | None:
        return self.inner.winner(state.inner)

    def _begun(self, candidate: Candidate) -> Tuning:
        size = self.space.axes(self.space.read(candidate.individual.genome))
        return Tuning(candidate.structure, candidate.individual, initial(size, FIRST_STEP), self.generations)

    def _next_generation(self, tuning: Tuning, births: Sequence[Scored]) -> Tuning | None:
        """The search after its births of a block; None after its last generation."""
        own = [scored for scored in births if self._is_of(tuning, scored.individual)]
        if not own:
            return tuning
        if tuning.left <= 1:
            return None
        origin = self.space.read(tuning.origin.genome)
        ranked = sorted(
            (scored for scored in own if scored.fitness is not None),
            key=lambda scored: (-(scored.fitness or 0.0), scored.individual.birth),
        )
        points = [self.space.octaves(origin, self.space.read(scored.individual.genome)) for scored in ranked]
        return replace(tuning, distribution=tell(tuning.distribution, points, len(own)), left=tuning.left - 1)

    def _is_of(self, tuning: Tuning, individual: Individual) -> bool:
        return individual.operator == OPERATOR and individual.parents == (tuning.origin.birth,)

    def _waiting(self, state: TuningState[S], births: Sequence[Scored]) -> tuple[Candidate, ...]:
        """The structures that wait after a block."""
        waiting = {candidate.structure: candidate for candidate in state.waiting}
        for scored in births:
            fitness = scored.fitness
            least = min((candidate.fitness for candidate in waiting.values()), default=None)
            if fitness is None or (len(waiting) >= KEPT and least is not None and fitness <= least):
                continue
            genome = self.space.read(scored.individual.genome)
            structure = self.space.structure(genome)
            known = waiting.get(structure)
            if structure in state.tuned or (known and known.fitness >= fitness) or not self.space.axes(genome):
                continue
            waiting[structure] = Candidate(structure, scored.individual, fitness)
            best = sorted(waiting.values(), key=lambda candidate: (-candidate.fitness, candidate.individual.birth))
            waiting = {candidate.structure: candidate for candidate in best[:KEPT]}
        return tuple(waiting.values())
