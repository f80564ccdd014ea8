"""The Deep GA (Such et al. 2017): mutation alone, parents by truncation, and an elite that has proved itself.

Each child has one parent, drawn from the T best. Training scores are noisy, so the elite is not who was luckiest: the
ten best, the old elite among them, play more episodes, and the best mean is the elite. It stays a parent until another
one proves better. With T = 0 nothing has parents, which is random search.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from germline.programs.policy.space import PolicySpace
from germline.programs.space import Space
from germline.search.individual import Block, Individual, Proposal, Review, Reviewed, RngFor, Scored
from germline.search.rungs import REVIEW, TEST
from germline.search.strategy import Strategy

SMALLEST = 1e-6
"""What is left of σ at least, however far it decays."""


@dataclass(frozen=True, slots=True)
class TruncationState:
    """`ranking` are the births of the last generation that were scored well, the best first; `parents` the next one's.

    `due` are the reviews that are asked for; `elite` is who did best in the last ones, with the mean return there; they
    were those of generation `proven`, counted from 1.
    """

    generation: int = 0
    ranking: tuple[Individual, ...] = ()
    parents: tuple[Individual, ...] = ()
    elite: Individual | None = None
    mean: float | None = None
    proven: int = 0
    due: tuple[Review, ...] = ()


@dataclass(frozen=True)
class Sigma:
    """Standard deviation of mutations: `first`, times `decay` with each generation, and no less than `least`."""

    first: float
    decay: float = 1.0
    least: float = 0.0

    def at(self, generation: int) -> float:
        """To six digits, so that genomes stay short; never 0, which would be no mutation."""
        least = max(self.least, SMALLEST * self.first)
        return float(f"{max(self.first * self.decay**generation, least):.6g}")


class Truncation(Strategy[TruncationState]):
    """Truncation selection with elite reviews.

    Args:
        population: births in a generation, which is a block.
        parents: how many may have children, the elite among them (T); 0: everything is drawn.
        sigma: of mutations.
        candidates: how many are reviewed after a generation, the old elite among them, but at least one that is new; 0:
            the elite is the fittest.
        tested: whether what is handed over plays a last test.
    """

    def __init__(self, population: int, parents: int, sigma: Sigma, candidates: int, tested: bool = True) -> None:
        self.population = population
        self.parents = parents
        self.sigma = sigma
        self.candidates = candidates
        self.tested = tested

    def init(self) -> TruncationState:
        return TruncationState()

    def breed(self, state: TruncationState, birth: int, space: Space[Any], rng_for: RngFor) -> Proposal:
        rng = rng_for(birth)
        if not state.parents:
            return Proposal(space.write(space.draw(rng)), (), "random")
        assert isinstance(space, PolicySpace)
        parent = state.parents[int(rng.integers(len(state.parents)))]
        child = space.mutate(space.read(parent.genome), self.sigma.at(birth // self.population), rng)
        return Proposal(space.write(child), (parent.birth,), "mutate")

    def advance(self, state: TruncationState, block: Block) -> TruncationState:
        if block.reviews:
            return self._reviewed(state, block.reviews)
        ranking = self.ranked(state, block.births)
        state = replace(state, generation=state.generation + 1, ranking=ranking)
        if contenders := self._contenders(state):
            return replace(state, due=tuple(Review(one, REVIEW, state.generation) for one in contenders))
        fittest = max(
            (one for one in block.births if one.fitness is not None), key=lambda one: one.fitness or 0.0, default=None
        )
        if fittest and (state.mean is None or (fittest.fitness or 0.0) > state.mean):
            state = replace(state, elite=fittest.individual, mean=fittest.fitness)
        return self._selected(state)

    def ranked(self, state: TruncationState, births: Sequence[Scored]) -> tuple[Individual, ...]:
        """Those that were scored well, by fitness; of equals the earlier birth first."""
        well = [one for one in births if one.fitness is not None]
        return tuple(
            one.individual for one in sorted(well, key=lambda one: (-(one.fitness or 0.0), one.individual.birth))
        )

    def reviews(self, state: TruncationState) -> Sequence[Review]:
        return state.due

    def closing(self, state: TruncationState) -> Sequence[Review]:
        """A test of the elite; if no generation was whole, reviews of its best, as of a generation before the first."""
        if state.elite:
            return (Review(state.elite, TEST, state.proven),) if self.tested else ()
        return tuple(Review(one, REVIEW, 0) for one in self._contenders(state))

    def best(self, state: TruncationState) -> Individual | None:
        return state.elite or (state.ranking[0] if state.ranking else None)

    def _contenders(self, state: TruncationState) -> list[Individual]:
        """Who is reviewed: the old elite, and the best of the last generation."""
        if not self.candidates:
            return []
        new = _different(
            [one for one in state.ranking if not state.elite or one.fingerprint != state.elite.fingerprint]
        )
        old = [state.elite] if state.elite else []
        return [*old, *new[: max(1, self.candidates - len(old))]]

    def _reviewed(self, state: TruncationState, answers: Sequence[Reviewed]) -> TruncationState:
        if answers[0].review.rung == TEST:
            return state
        well = [one for one in answers if one.outcome.fitness is not None]
        if well:
            best = max(well, key=lambda one: (one.outcome.fitness, -one.review.individual.birth))
            state = replace(state, elite=best.review.individual, mean=best.outcome.fitness)
        return self._selected(replace(state, due=()))

    def _selected(self, state: TruncationState) -> TruncationState:
        """The elite and the best others may have children."""
        everyone = _different([*([state.elite] if state.elite else []), *state.ranking])
        parents = tuple(everyone[: self.parents]) if self.parents else ()
        return replace(state, parents=parents, proven=state.generation)


def _different(individuals: Sequence[Individual]) -> list[Individual]:
    """Each genome once, where it stands first."""
    first: dict[str, Individual] = {}
    for one in individuals:
        first.setdefault(one.fingerprint, one)
    return list(first.values())
