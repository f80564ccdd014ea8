"""A space of architectures within limits: drawing, mutation, crossover and checks."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import numpy as np

from germline.programs.architecture.canonical import fingerprint
from germline.programs.architecture.cells import CellSpace
from germline.programs.architecture.counts import Counts, count
from germline.programs.architecture.genome import Architecture, Edge, InvalidArchitecture
from germline.programs.architecture.genome import read as read_architecture
from germline.programs.architecture.genome import write as write_architecture
from germline.programs.architecture.latency import LatencyTable, fastest, predicted
from germline.programs.architecture.operations import OPERATIONS
from germline.programs.architecture.score import Score, size
from germline.programs.architecture.skeleton import Skeleton
from germline.programs.space import NewGenome

T = TypeVar("T")

DRAWN_FOR_FALLBACK = 2_000
"""Random genomes that are tried before limits on size and on latency are reported as contradictory."""
MAX_TRIES = 100
"""Genomes over the limits that are rejected before the next genome is repaired edge by edge."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Upper limits of a network; None: no limit.

    Args:
        params: parameters of the full network.
        macs: multiply-accumulates of the full network for one image.
        children: whether children have to keep the limits. In EEEA-Net only the first generation has to.
        latency: predicted milliseconds for one image.
    """

    params: int | None = None
    macs: int | None = None
    children: bool = True
    latency: float | None = None

    def broken(self, counts: Counts, latency: float | None = None) -> str | None:
        """The first broken limit, in one line; None if all are kept. A latency of None is not checked."""
        for name, limit, got in (("params", self.params, counts.params), ("macs", self.macs, counts.macs)):
            if limit is not None and got > limit:
                return f"expected at most {limit:,} {name}, got {got:,}"
        if self.latency is not None and latency is not None and latency > self.latency:
            return f"expected at most {self.latency:g} ms of latency, got {latency:g}"
        return None


class ArchitectureSpace:
    """The architectures of a cell space whose networks keep limits.

    Args:
        cells: the cell space.
        skeleton: of the network that the limits apply to.
        limits: on its size and latency.
        table: latencies of the parts of such networks; needed for a limit on latency.
        pool: number of random genomes of which `draw` returns the best by `score`.
        score: compares the genomes of a pool.

    Attributes:
        fallback: an architecture that keeps the limits, from which repairs take their edges.

    Raises:
        InvalidArchitecture: no architecture keeps the limits; the message names the size of the smallest architecture
            or the latency of the fastest. If the smallest is too slow and the fastest too large, then none of
            `DRAWN_FOR_FALLBACK` random architectures keeps both limits.
    """

    def __init__(
        self,
        cells: CellSpace,
        skeleton: Skeleton,
        limits: Limits | None = None,
        table: LatencyTable | None = None,
        pool: int = 1,
        score: Score = size,
    ) -> None:
        self.cells = cells
        self.skeleton = skeleton
        self.limits = limits or Limits()
        self.table = table
        self.pool = pool
        self.score = score
        self.fallback = self._find_fallback()

    @cached_property
    def operators(self) -> Mapping[str, Callable[[Architecture, np.random.Generator], Architecture | None]]:
        return {
            "mutate": lambda genome, rng: self._change(genome, rng, operation=True, source=True),
            "operation": lambda genome, rng: self._change(genome, rng, operation=True, source=False),
            "input": lambda genome, rng: self._change(genome, rng, operation=False, source=True),
        }

    def draw(self, rng: np.random.Generator) -> NewGenome[Architecture]:
        """A random genome within the limits, uniform over operations and sources; the best of a pool."""
        pool = [self._within_limits(lambda: self._random(rng), rng) for _ in range(self.pool)]
        if len(pool) == 1:
            return pool[0]
        best = max(pool, key=lambda drawn: self.score(drawn.genome, self.skeleton))
        return NewGenome(best.genome, sum(drawn.rejected for drawn in pool))

    def vary(self, genome: Architecture, operator: str, rng: np.random.Generator) -> NewGenome[Architecture]:
        """A child by one of `operators`; the genome itself if the operator cannot change it. See `Limits.children`."""
        change = self.operators[operator]
        return self._child(lambda: change(genome, rng) or genome, rng)

    def cross(self, first: Architecture, second: Architecture, rng: np.random.Generator) -> NewGenome[Architecture]:
        """A child by uniform crossover: each edge from either parent. See `Limits.children`."""
        return self._child(lambda: self._crossed(first, second, rng), rng)

    def neighbours(self, genome: Architecture) -> list[Architecture]:
        """All genomes that differ in one operation or one source, within the limits if children have to keep them."""
        result = []
        for c, cell in enumerate(genome.cells):
            for n, node in enumerate(cell.nodes):
                for e, (operation, source) in enumerate(node):
                    edges = [(other, source) for other in self.cells.operations if other != operation]
                    if self.cells.inputs == 2:
                        edges += [(operation, other) for other in self.cells.sources(n) if other != source]
                    result += [self._with_edge(genome, (c, n, e), edge) for edge in edges]
        if not self.limits.children:
            return result
        return [neighbour for neighbour in result if self.broken(neighbour) is None]

    def check(self, genome: Architecture) -> str | None:
        """Why a genome is not of the space or exceeds a limit, in one line; None if it is valid."""
        if genome.inputs != self.cells.inputs or any(len(cell.nodes) != self.cells.nodes for cell in genome.cells):
            return f"expected {self.cells.inputs} cells of {self.cells.nodes} nodes each"
        for cell in genome.cells:
            if cell != self.cells.cell(cell.nodes):
                return f"expected the cells to hand on {self.cells.concat} nodes, got {list(cell.concat)}"
            for number, node in enumerate(cell.nodes):
                for operation, source in node:
                    if operation not in self.cells.operations or source not in self.cells.sources(number):
                        return f"node {number}: {operation} of {source} is not in the space"
        return self.broken(genome)

    def refuses(self, genome: Architecture) -> str | None:
        return self.check(genome)

    def broken(self, genome: Architecture) -> str | None:
        """The first limit that a genome breaks, in one line; None if it keeps them all."""
        return self.limits.broken(count(genome, self.skeleton), self._latency(genome))

    def fingerprint(self, genome: Architecture) -> str:
        return fingerprint(genome)

    def sizes(self, genome: Architecture) -> tuple[int, int]:
        """Number of edges, and of edges that are not `none`."""
        edges = [edge for cell in genome.cells for edge in cell.edges]
        return len(edges), sum(not OPERATIONS[operation].zero for operation, _ in edges)

    def choices(self, genome: Architecture) -> tuple[int, ...]:
        """Number of values of each gene: for each edge in turn its operation and, if sources are free, its source."""
        operations = len(self.cells.operations)
        if self.cells.inputs == 1:
            return (operations,) * len(list(_places(genome)))
        return tuple(n for _, node, _ in _places(genome) for n in (operations, len(self.cells.sources(node))))

    def genes(self, genome: Architecture) -> tuple[int, ...]:
        """The genes of a genome: for each edge in turn the index of its operation and, if sources are free, its source.
        Each is below its number of `choices`."""
        numbered = [(self.cells.operations.index(name), source) for cell in genome.cells for name, source in cell.edges]
        return tuple(gene for pair in numbered for gene in pair[: self.cells.inputs])

    def with_genes(self, genome: Architecture, genes: tuple[int, ...]) -> Architecture:
        """The genome of these genes; sources that are not free come from `genome`."""
        remaining = iter(genes)

        def edge(old: Edge) -> Edge:
            operation = self.cells.operations[next(remaining)]
            return operation, next(remaining) if self.cells.inputs == 2 else old[1]

        cells = [tuple(tuple(edge(old) for old in node) for node in cell.nodes) for cell in genome.cells]
        return Architecture(tuple(self.cells.cell(nodes) for nodes in cells))

    def write(self, genome: Architecture) -> str:
        return write_architecture(genome)

    def read(self, text: str) -> Architecture:
        return read_architecture(text)

    def _latency(self, genome: Architecture) -> float | None:
        """Predicted milliseconds for one image; None if there is no limit on latency."""
        if self.limits.latency is None:
            return None
        assert self.table is not None
        return predicted(genome, self.skeleton, self.table)

    def _find_fallback(self) -> Architecture:
        """An architecture within the limits: the smallest; if that is too slow, the fastest; if that is too large, a
        random architecture."""
        smallest = self.cells.smallest()
        too_large = self.broken(smallest)
        if too_large is None:
            return smallest
        if self.limits.broken(count(smallest, self.skeleton)):
            raise InvalidArchitecture(f"no architecture of the space is so small: {too_large} for the smallest one")
        assert self.table is not None
        quickest = fastest(self.cells, self.skeleton, self.table)
        too_slow = self.broken(quickest)
        if too_slow is None:
            return quickest
        if self.limits.broken(count(quickest, self.skeleton)):
            rng = np.random.default_rng(0)
            for _ in range(DRAWN_FOR_FALLBACK):
                genome = self._random(rng)
                if self.broken(genome) is None:
                    return genome
            both = f"{too_large} for the smallest one, {too_slow} for the fastest"
            raise InvalidArchitecture(f"found no architecture that keeps all limits: {both}")
        raise InvalidArchitecture(f"no architecture of the space is so fast: {too_slow} for the fastest one")

    # Drawing and variation

    def _child(self, make: Callable[[], Architecture], rng: np.random.Generator) -> NewGenome[Architecture]:
        return self._within_limits(make, rng) if self.limits.children else NewGenome(make())

    def _within_limits(self, make: Callable[[], Architecture], rng: np.random.Generator) -> NewGenome[Architecture]:
        """The first genome of `make` within the limits; after MAX_TRIES, a repaired genome."""
        genome = make()
        for rejected in range(MAX_TRIES):
            if self.broken(genome) is None:
                return NewGenome(genome, rejected)
            genome = make()
        return NewGenome(self._repaired(genome, rng), MAX_TRIES)

    def _repaired(self, genome: Architecture, rng: np.random.Generator) -> Architecture:
        """The genome with edges of `fallback` in the place of its own, in random order, until it keeps the limits."""
        places = list(_places(genome))
        for k in rng.permutation(len(places)):
            if self.broken(genome) is None:
                break
            c, n, e = places[k]
            genome = self._with_edge(genome, places[k], self.fallback.cells[c].nodes[n][e])
        return genome

    def _random(self, rng: np.random.Generator) -> Architecture:
        return self._assembled(lambda number, place: self._random_edge(number, place, rng))

    def _random_edge(self, number: int, place: int, rng: np.random.Generator) -> Edge:
        operation = _pick(self.cells.operations, rng)
        return operation, place if self.cells.inputs == 1 else _pick(self.cells.sources(number), rng)

    def _assembled(self, edge: Callable[[int, int], Edge]) -> Architecture:
        """An architecture whose edges are the results of `edge`.

        It is called for each edge of each cell in turn, with the number of the node and the place of the edge in it.
        """
        cells = []
        for _ in range(self.cells.inputs):
            sizes = [2 if self.cells.inputs == 2 else number + 1 for number in range(self.cells.nodes)]
            nodes = [tuple(edge(number, place) for place in range(size)) for number, size in enumerate(sizes)]
            cells.append(self.cells.cell(tuple(nodes)))
        return Architecture(tuple(cells))

    def _change(
        self, genome: Architecture, rng: np.random.Generator, operation: bool, source: bool
    ) -> Architecture | None:
        """The genome with a random operation, source, or both, at one random edge, perhaps the same as before.

        None if only a source is to be drawn and the space has no free sources.
        """
        if not operation and self.cells.inputs == 1:
            return None
        c, n, e = place = _pick(list(_places(genome)), rng)
        old = genome.cells[c].nodes[n][e]
        new = self._random_edge(n, e, rng)
        return self._with_edge(genome, place, (new[0] if operation else old[0], new[1] if source else old[1]))

    def _crossed(self, first: Architecture, second: Architecture, rng: np.random.Generator) -> Architecture:
        cells = []
        for cell, other_cell in zip(first.cells, second.cells, strict=True):
            pairs = zip(cell.nodes, other_cell.nodes, strict=True)
            nodes = [tuple(_pick(edges, rng) for edges in zip(*pair, strict=True)) for pair in pairs]
            cells.append(self.cells.cell(tuple(nodes)))
        return Architecture(tuple(cells))

    def _with_edge(self, genome: Architecture, place: tuple[int, int, int], edge: Edge) -> Architecture:
        """The genome with another edge at a place (cell, node, edge)."""
        c, n, e = place
        cell = genome.cells[c]
        node = (*cell.nodes[n][:e], edge, *cell.nodes[n][e + 1 :])
        changed = self.cells.cell((*cell.nodes[:n], node, *cell.nodes[n + 1 :]))
        return Architecture((*genome.cells[:c], changed, *genome.cells[c + 1 :]))


def _places(genome: Architecture) -> Iterator[tuple[int, int, int]]:
    """The place of every edge: numbers of its cell, its node, and the edge within the node."""
    for c, cell in enumerate(genome.cells):
        for n, node in enumerate(cell.nodes):
            for e in range(len(node)):
                yield c, n, e


def _pick(options: Sequence[T], rng: np.random.Generator) -> T:
    return options[int(rng.random() * len(options))]
