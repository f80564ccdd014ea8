"""The loop of EEEA-Net's published code (Termritthikun et al. 2021), with its faults, so that it can be compared with.

It differs from NSGA-II in what the paper does not say: dominance looks at the first two objectives alone; a tenth of
the population survives, in the order in which the sorting meets it; crowding is that of other individuals than it is
taken for, and matters only when nothing dominates anything; a genome that was born before is bred again until it is
new, but duplicates in the first generation are dropped and not replaced; children keep no limit; the first survivor of
the last generation but one is handed over, whatever it is worth.

Left out: a copied input that the node could not have is brought into its range, where the code would build a node that
takes itself.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeVar

import numpy as np

from germline.evaluators.outcome import Objective
from germline.programs.space import Space
from germline.search import pareto
from germline.search.individual import Block, Individual, Proposal, RngFor, Scored
from germline.search.strategy import Strategy

G = TypeVar("G")
Genes = tuple[int, ...]

MAX_TRIES = 1_000
"""A space of which everything has been born gives no new genome; after so many tries an old one will do."""


class GeneSpace(Space[G], Protocol[G]):
    """A space whose genomes are rows of small whole numbers."""

    def choices(self, genome: G) -> Genes:
        """How many values each gene can have."""
        ...

    def genes(self, genome: G) -> Genes: ...

    def with_genes(self, genome: G, genes: Genes) -> G:
        """The genome of these genes, in the form of another one."""
        ...


@dataclass(frozen=True, slots=True)
class EEEAState:
    """`parents` survived; `born` are of the generation that is under way, of which `wanted` are to be born, the first
    one with birth `since`. `seen` are the genes of all, `before` those of all that are older than this generation, and
    `handed` is what the code would return."""

    wanted: int
    parents: tuple[Scored, ...] = ()
    born: tuple[Scored, ...] = ()
    births: int = 0
    since: int = 0
    seen: frozenset[Genes] = frozenset()
    before: frozenset[Genes] = frozenset()
    handed: Individual | None = None


@dataclass(slots=True)
class _Generation:
    """The children of some parents that have been bred so far, and where more come from."""

    parents: tuple[Scored, ...]
    more: Iterator[Proposal]
    children: list[Proposal]


class EEEA(Strategy[EEEAState]):
    """EEEA-Net's loop over some objectives.

    Args:
        space: whose genes are crossed.
        objectives: what competes; the third and later ones are ignored by dominance, as they are there.
        population: of the first generation.
        retain: share of a generation that survives.
        mutation, inversion: how often a child has one pair of genes drawn afresh, or taken from the next pair.
    """

    def __init__(
        self,
        space: GeneSpace[Any],
        objectives: Sequence[Objective],
        population: int,
        retain: float = 0.1,
        mutation: float = 0.1,
        inversion: float = 0.1,
    ) -> None:
        self.space = space
        self.objectives = tuple(objectives)
        self.population = population
        self.retain = retain
        self.mutation = mutation
        self.inversion = inversion
        self._bred: _Generation | None = None

    def init(self) -> EEEAState:
        return EEEAState(self.population)

    def breed(self, state: EEEAState, birth: int, space: Space[Any], rng_for: RngFor) -> Proposal:
        if not state.parents:
            return Proposal(space.write(space.draw(rng_for(birth))), (), "random")
        # A child must differ from those bred before it in its generation, so it is bred as one of a row.
        if self._bred is None or self._bred.parents is not state.parents:
            self._bred = _Generation(state.parents, self._children(state, rng_for(state.since)), [])
        while len(self._bred.children) <= birth - state.since:
            self._bred.children.append(next(self._bred.more))
        return self._bred.children[birth - state.since]

    def advance(self, state: EEEAState, block: Block) -> EEEAState:
        for scored in block.births:
            state = self._joined(state, scored)
        return state

    def best(self, state: EEEAState) -> Individual | None:
        return state.handed or (state.born[0].individual if state.born else None)

    def _joined(self, state: EEEAState, scored: Scored) -> EEEAState:
        """A birth more; the last one of a generation makes the next one begin."""
        genes = self.space.genes(self.space.read(scored.individual.genome))
        if scored.fitness is not None and genes not in state.seen:
            state = replace(state, born=(*state.born, scored))
        state = replace(state, births=state.births + 1, seen=state.seen | {genes})
        if state.births < state.wanted:
            return state
        everyone = (*state.parents, *state.born)
        # A tenth of fewer than twenty would be one parent, with which the code cannot go on.
        survivors = self._order(everyone)[: max(2, int(len(everyone) * self.retain))]
        return EEEAState(
            wanted=max(1, len(everyone) - len(survivors)) if survivors else self.population,
            parents=tuple(survivors) if len(survivors) > 1 else (),
            since=scored.individual.birth + 1,
            seen=state.seen,
            before=state.seen,
            handed=everyone[0].individual if everyone else None,
        )

    def _order(self, everyone: Sequence[Scored]) -> list[Scored]:
        """Front by front, each in the order of birth; the last front by a crowding distance that belongs to others."""
        if not everyone:
            return []
        points = self._points(everyone)
        ranks = pareto.fronts(points[:, :2])
        fronts = [np.flatnonzero(ranks == front) for front in range(int(ranks.max()) + 1)]
        crowding = pareto.crowding(points)[: len(fronts[-1])]
        last = sorted(zip(crowding.tolist(), fronts[-1].tolist(), strict=True), reverse=True)
        return [everyone[i] for i in (*np.concatenate([*fronts[:-1], np.empty(0, np.intp)]), *(i for _, i in last))]

    def _children(self, state: EEEAState, rng: np.random.Generator) -> Iterator[Proposal]:
        """A generation, child by child: each differs from all that was born, and from those before it."""
        seen = set(state.before)
        genes = [self.space.genes(self.space.read(one.individual.genome)) for one in state.parents]
        form = self.space.read(state.parents[0].individual.genome)
        points = self._points(state.parents)
        tries = 0
        while True:
            mother, father = self._couple(points, rng)
            for _ in range(2):
                child = self._child(genes[mother], genes[father], self.space.choices(form), rng)
                tries += 1
                if child not in seen or tries > MAX_TRIES:
                    tries = 0
                    seen.add(child)
                    parents = (state.parents[mother].individual.birth, state.parents[father].individual.birth)
                    yield Proposal(self.space.write(self.space.with_genes(form, child)), parents, "crossover")

    def _couple(self, points: pareto.Points, rng: np.random.Generator) -> tuple[int, int]:
        """Two tournaments between halves of the survivors, in which the first one drawn wins unless it is dominated."""
        drawn = rng.permutation(len(points)).tolist()
        half = max(1, len(drawn) // 2)
        winners = []
        for team in (drawn[:half], drawn[half : 2 * half]):
            best = team[0]
            for other in team[1:]:
                if _dominates(points[other, :2], points[best, :2]):
                    best = other
            winners.append(best)
        return winners[0], winners[1]

    def _child(self, mother: Genes, father: Genes, choices: Genes, rng: np.random.Generator) -> Genes:
        genes = np.where(rng.random(len(choices)) < 0.5, mother, father)
        pairs = len(genes) // 2
        if rng.random() < self.mutation:
            at = 2 * int(rng.random() * pairs)
            genes[at : at + 2] = [int(rng.random() * many) for many in choices[at : at + 2]]
        if rng.random() < self.inversion:
            # The code means to swap two neighbours, and copies the second onto the first.
            at = 2 * min(int(rng.random() * pairs), pairs - 2)
            genes[at : at + 2] = genes[at + 2 : at + 4]
        return tuple(np.minimum(genes, np.array(choices) - 1).tolist())

    def _points(self, scored: Sequence[Scored]) -> pareto.Points:
        return pareto.minimised([one.outcome.objectives for one in scored], self.objectives)


def _dominates(one: pareto.Points, other: pareto.Points) -> bool:
    return bool((one <= other).all() and (one < other).any())
