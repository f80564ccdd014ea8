"""The loop of EEEA-Net's published code (Termritthikun et al. 2021), with its faults, as a baseline.

It differs from NSGA-II in ways that the paper does not mention:

- dominance looks at the first two objectives only;
- a tenth of the population survives: the first individuals of the sorted population;
- crowding distances are assigned to the wrong individuals, and order only the last front, which seldom survives unless
  it is the only front;
- a child with known genes is bred again until its genes are new, but a duplicate in the first generation is dropped
  without a replacement;
- limits of the space hold for the first generation only;
- the winner is the first survivor of the last generation but one, whatever its objectives.

One fault is left out: the published code can copy an input to a node that cannot have it, so that a node becomes its
own input. Here such an input is clipped to the node's range.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import islice
from typing import Any, Protocol, TypeVar

import numpy as np

from germline.evaluators.outcome import Objective
from germline.programs.space import Space
from germline.search import pareto
from germline.search.individual import Block, Individual, Proposal, RngFor, Scored
from germline.search.strategies.random_search import random_proposal
from germline.search.strategy import Strategy

G = TypeVar("G")
Genes = tuple[int, ...]

MAX_TRIES = 1_000
"""After this many children in a row with known genes, the next child is accepted whatever its genes, because the space
may have no new ones."""


class GeneSpace(Space[G], Protocol[G]):
    """A space whose genomes can be written as rows of small whole numbers, the genes. Where sources are free,
    a pair of genes is an edge of a cell: its operation and its source."""

    def choices(self, genome: G) -> Genes:
        """The number of values of each gene."""
        ...

    def genes(self, genome: G) -> Genes:
        """The genome as numbers, each below its `choices`."""
        ...

    def with_genes(self, genome: G, genes: Genes) -> G:
        """The genome of these genes, with the form of `genome`."""
        ...


@dataclass(frozen=True, slots=True)
class EEEAState:
    """The state within a generation.

    Attributes:
        wanted: number of births in the current generation.
        parents: survivors of the last generation.
        born: individuals of the current generation with new genes and an ok outcome.
        births: number of births in the current generation so far.
        since: the first birth of the current generation.
        known: genes of all births.
        known_before: genes of all births before the current generation.
        winner: the individual that the published code would return; None in the first generation.
    """

    wanted: int
    parents: tuple[Scored, ...] = ()
    born: tuple[Scored, ...] = ()
    births: int = 0
    since: int = 0
    known: frozenset[Genes] = frozenset()
    known_before: frozenset[Genes] = frozenset()
    winner: Individual | None = None


@dataclass(frozen=True, slots=True)
class Rates:
    """Probabilities of the two changes of a child: `mutation` draws a pair of genes anew, `inversion` copies the next
    pair onto a pair."""

    mutation: float = 0.1
    inversion: float = 0.1


@dataclass(frozen=True, slots=True)
class Child:
    """Genes of a child, and the indices of its parents among the survivors."""

    genes: Genes
    mother: int
    father: int


@dataclass(frozen=True, slots=True)
class Survivors:
    """The parents of a generation as numbers.

    Attributes:
        genes: genes of each parent.
        points: the first two objectives of each parent, minimised.
        choices: number of values of each gene.
        known: genes of all births before the generation.
    """

    genes: tuple[Genes, ...]
    points: tuple[tuple[float, ...], ...]
    choices: Genes
    known: frozenset[Genes]


class EEEA(Strategy[EEEAState]):
    """EEEA-Net's loop over several objectives.

    Args:
        space: the space whose genes are crossed.
        objectives: the objectives that compete; as in the published code, dominance ignores all but the first two.
        population: size of the first generation.
        retain: share of the parents and births of a generation that survive it, at least two.
        rates: probabilities of mutation and inversion.
    """

    def __init__(
        self,
        space: GeneSpace[Any],
        objectives: Sequence[Objective],
        population: int,
        retain: float = 0.1,
        rates: Rates | None = None,
    ) -> None:
        self.space = space
        self.objectives = tuple(objectives)
        self.population = population
        self.retain = retain
        self.rates = rates or Rates()

    def init(self) -> EEEAState:
        return EEEAState(self.population)

    def breed(self, state: EEEAState, birth: int, rng_for: RngFor) -> Proposal:
        if not state.parents:
            return random_proposal(self.space, birth, rng_for)
        number = birth - state.since
        # With blocks in flight more children may be bred from these parents than the generation wants.
        count = state.wanted * (1 + number // state.wanted)
        child = generation(self._survivors(state), self.rates, count, state.since, rng_for)[number]
        mother, father = state.parents[child.mother].individual, state.parents[child.father].individual
        form = self.space.read(state.parents[0].individual.genome)
        return Proposal(self.space.with_genes(form, child.genes), (mother.birth, father.birth), "crossover")

    def advance(self, state: EEEAState, block: Block) -> EEEAState:
        for scored in block.births:
            state = self._with_birth(state, scored)
        return state

    def winner(self, state: EEEAState) -> Individual | None:
        return state.winner or (state.born[0].individual if state.born else None)

    def _with_birth(self, state: EEEAState, scored: Scored) -> EEEAState:
        """The state after one more birth; the last birth of a generation begins the next generation."""
        genes = self.space.genes(self.space.read(scored.individual.genome))
        if scored.fitness is not None and genes not in state.known:
            state = replace(state, born=(*state.born, scored))
        state = replace(state, births=state.births + 1, known=state.known | {genes})
        if state.births < state.wanted:
            return state
        everyone = (*state.parents, *state.born)
        # The code needs two parents, and a tenth of fewer than twenty individuals is less.
        survivors = self._sorted(everyone)[: max(2, int(len(everyone) * self.retain))]
        return EEEAState(
            wanted=max(1, len(everyone) - len(survivors)) if survivors else self.population,
            parents=tuple(survivors) if len(survivors) > 1 else (),
            since=scored.individual.birth + 1,
            known=state.known,
            known_before=state.known,
            winner=everyone[0].individual if everyone else None,
        )

    def _sorted(self, individuals: Sequence[Scored]) -> list[Scored]:
        """The individuals front by front, in the given order within a front. The last front is sorted by crowding
        distance, but, as in the published code, by the distances of the first individuals of all instead of its own."""
        if not individuals:
            return []
        points = self._points(individuals)
        ranks = pareto.fronts(points[:, :2])
        *fronts, last = (np.flatnonzero(ranks == front).tolist() for front in range(int(ranks.max()) + 1))
        distances = pareto.crowding(points)[: len(last)].tolist()
        by_distance = [place for _, place in sorted(zip(distances, last, strict=True), reverse=True)]
        places = [place for front in fronts for place in front] + by_distance
        return [individuals[place] for place in places]

    def _survivors(self, state: EEEAState) -> Survivors:
        genomes = [self.space.read(scored.individual.genome) for scored in state.parents]
        return Survivors(
            tuple(self.space.genes(genome) for genome in genomes),
            tuple(map(tuple, self._points(state.parents)[:, :2].tolist())),
            self.space.choices(genomes[0]),
            state.known_before,
        )

    def _points(self, individuals: Sequence[Scored]) -> pareto.Points:
        return pareto.minimised([scored.outcome.objectives for scored in individuals], self.objectives)


@lru_cache(maxsize=4)
def generation(survivors: Survivors, rates: Rates, count: int, since: int, rng_for: RngFor) -> tuple[Child, ...]:
    """The first `count` children of a generation, drawn with the generator of its first birth, `rng_for(since)`.

    A child must differ from the earlier children of its generation, so the whole generation is bred at once. The
    result depends on the arguments alone; the cache saves time.
    """
    return tuple(islice(_children(survivors, rates, rng_for(since)), count))


def _children(survivors: Survivors, rates: Rates, rng: np.random.Generator) -> Iterator[Child]:
    """Children without end. Each couple is crossed twice.

    A child is left out if an earlier birth or child has its genes, unless `MAX_TRIES` children in a row were left out.
    """
    known = set(survivors.known)
    tries = 0
    while True:
        mother, father = _couple(survivors.points, rng)
        for _ in range(2):
            genes = crossed(survivors.genes[mother], survivors.genes[father], survivors.choices, rates, rng)
            tries += 1
            if genes not in known or tries > MAX_TRIES:
                tries = 0
                known.add(genes)
                yield Child(genes, mother, father)


def _couple(points: Sequence[tuple[float, ...]], rng: np.random.Generator) -> tuple[int, int]:
    """Indices of two parents: the winners of tournaments in the two halves of the shuffled survivors.

    The first individual of a half wins unless a later one dominates it.
    """
    drawn = rng.permutation(len(points)).tolist()
    half = max(1, len(drawn) // 2)
    winners = []
    for team in (drawn[:half], drawn[half : 2 * half]):
        best = team[0]
        for other in team[1:]:
            if _dominates(points[other], points[best]):
                best = other
        winners.append(best)
    return winners[0], winners[1]


def crossed(mother: Genes, father: Genes, choices: Genes, rates: Rates, rng: np.random.Generator) -> Genes:
    """Genes of a child: uniform crossover, then mutation and inversion with the probabilities of `rates`."""
    genes = np.where(rng.random(len(choices)) < 0.5, mother, father)
    pairs = len(genes) // 2
    if rng.random() < rates.mutation:
        at = 2 * int(rng.random() * pairs)
        genes[at : at + 2] = [int(rng.random() * values) for values in choices[at : at + 2]]
    if rng.random() < rates.inversion:
        # The published code means to swap two neighbouring pairs, but copies the second onto the first.
        at = 2 * min(int(rng.random() * pairs), pairs - 2)
        genes[at : at + 2] = genes[at + 2 : at + 4]
    return tuple(np.minimum(genes, np.array(choices) - 1).tolist())


def _dominates(first: tuple[float, ...], second: tuple[float, ...]) -> bool:
    return first != second and all(a <= b for a, b in zip(first, second, strict=True))
