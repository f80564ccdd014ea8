"""A space of architectures as a search sees it: drawn, varied and crossed within limits."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import numpy as np

from germline.programs.architecture.canonical import fingerprint
from germline.programs.architecture.cells import CellSpace
from germline.programs.architecture.counts import Counts, Skeleton, count
from germline.programs.architecture.genome import Architecture, Edge, InvalidArchitecture
from germline.programs.architecture.genome import read as read_architecture
from germline.programs.architecture.genome import write as write_architecture
from germline.programs.architecture.latency import LatencyTable, fastest, predicted
from germline.programs.architecture.operations import OPERATIONS
from germline.programs.architecture.score import Score, size
from germline.programs.space import NewGenome

T = TypeVar("T")

DRAWN_FOR_LEAST = 2_000
"""So many genomes are looked at before limits on size and on latency are thought to exclude each other."""
MAX_TRIES = 100
"""After so many genomes over the limits, the last one is made smaller edge by edge."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The largest network that is let through; None: any.

    Args:
        params, macs: of the whole network, as it will be used.
        children: whether children have to keep them too. EEEA-Net asks it of the first generation alone.
        latency: milliseconds for one image, as a table of measurements predicts them.
    """

    params: int | None = None
    macs: int | None = None
    children: bool = True
    latency: float | None = None

    def broken(self, counts: Counts, latency: float | None = None) -> str | None:
        """What is too large, in one line; None if nothing is."""
        for name, most, got in (("params", self.params, counts.params), ("macs", self.macs, counts.macs)):
            if most is not None and got > most:
                return f"expected at most {most:,} {name}, got {got:,}"
        if self.latency is not None and latency is not None and latency > self.latency:
            return f"expected at most {self.latency:g} ms of latency, got {latency:.3g}"
        return None


class ArchitectureSpace:
    """The architectures of a space whose networks keep some limits.

    Args:
        cells: which cells there are.
        skeleton: of the network that the limits are about.
        limits: how large it may be.
        table: what the parts of such networks take; needed for a limit on latency.
        pool: what is drawn is the best of so many; 1: any.
        score: what is best there.

    Raises:
        InvalidArchitecture: no architecture keeps the limits; the message names the smallest one's size, or the
            fastest one's latency. Where limits on both exclude these two, thousands of others were looked at.
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
        self.least = self._least()

    @cached_property
    def operators(self) -> Mapping[str, Callable[[Architecture, np.random.Generator], Architecture | None]]:
        return {
            "mutate": lambda genome, rng: self._change(genome, rng, operation=True, source=True),
            "operation": lambda genome, rng: self._change(genome, rng, operation=True, source=False),
            "input": lambda genome, rng: self._change(genome, rng, operation=False, source=True),
        }

    def draw(self, rng: np.random.Generator) -> NewGenome[Architecture]:
        """Uniform over operations and inputs, among the genomes within the limits; of a pool, the best one."""
        pool = [self._within_limits(lambda: self._random(rng), rng) for _ in range(self.pool)]
        if len(pool) == 1:
            return pool[0]
        best = max(pool, key=lambda drawn: self.score(drawn.genome, self.skeleton))
        return NewGenome(best.genome, sum(drawn.rejected for drawn in pool))

    def vary(self, genome: Architecture, operator: str, rng: np.random.Generator) -> NewGenome[Architecture]:
        change = self.operators[operator]
        return self._child(lambda: change(genome, rng) or genome, rng)

    def cross(self, one: Architecture, other: Architecture, rng: np.random.Generator) -> NewGenome[Architecture]:
        """Uniform crossover: each edge from either parent."""
        return self._child(lambda: self._crossed(one, other, rng), rng)

    def neighbours(self, genome: Architecture) -> list[Architecture]:
        """All that differ from it in one operation or one input, and keep the limits if children have to."""
        found = []
        for c, cell in enumerate(genome.cells):
            for n, node in enumerate(cell.nodes):
                for e, (operation, source) in enumerate(node):
                    edges = [(other, source) for other in self.cells.operations if other != operation]
                    if self.cells.inputs == 2:
                        edges += [(operation, other) for other in self.cells.sources(n) if other != source]
                    found += [self._with_edge(genome, (c, n, e), edge) for edge in edges]
        return [one for one in found if not self.limits.children or self.broken(one) is None]

    def check(self, genome: Architecture) -> str | None:
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

    def broken(self, genome: Architecture) -> str | None:
        """Which limit a genome of the space breaks, in one line; None if it keeps them all."""
        return self.limits.broken(count(genome, self.skeleton), self._latency(genome))

    def fingerprint(self, genome: Architecture) -> str:
        return fingerprint(genome)

    def sizes(self, genome: Architecture) -> tuple[int, int]:
        edges = [edge for cell in genome.cells for edge in cell.edges]
        return len(edges), sum(not OPERATIONS[operation].zero for operation, _ in edges)

    def choices(self, genome: Architecture) -> tuple[int, ...]:
        """How many values each gene can have: for every edge its operation and, where it is chosen, its input."""
        operations = len(self.cells.operations)
        if self.cells.inputs == 1:
            return (operations,) * len(list(_places(genome)))
        return tuple(n for _, node, _ in _places(genome) for n in (operations, len(self.cells.sources(node))))

    def genes(self, genome: Architecture) -> tuple[int, ...]:
        """The genome as numbers, each below its `choices`."""
        numbered = [(self.cells.operations.index(name), source) for cell in genome.cells for name, source in cell.edges]
        return tuple(gene for pair in numbered for gene in pair[: self.cells.inputs])

    def with_genes(self, genome: Architecture, genes: tuple[int, ...]) -> Architecture:
        """The genome of these genes; of another one it takes the inputs, where they are not chosen."""
        left = iter(genes)

        def edge(old: Edge) -> Edge:
            operation = self.cells.operations[next(left)]
            return operation, next(left) if self.cells.inputs == 2 else old[1]

        cells = [tuple(tuple(edge(old) for old in node) for node in cell.nodes) for cell in genome.cells]
        return Architecture(tuple(self.cells.cell(nodes) for nodes in cells))

    def write(self, genome: Architecture) -> str:
        return write_architecture(genome)

    def read(self, text: str) -> Architecture:
        return read_architecture(text)

    def _latency(self, genome: Architecture) -> float | None:
        """In milliseconds; None where nothing asks for it."""
        if self.limits.latency is None:
            return None
        assert self.table is not None
        return predicted(genome, self.skeleton, self.table)

    def _least(self) -> Architecture:
        """One that keeps the limits: the smallest; if it takes too long, the fastest; if that is too large, any."""
        smallest = self.cells.smallest()
        large = self.broken(smallest)
        if large is None:
            return smallest
        if self.limits.broken(count(smallest, self.skeleton)):
            raise InvalidArchitecture(f"no architecture of the space is so small: {large} for the smallest one")
        assert self.table is not None
        quick = fastest(self.cells, self.skeleton, self.table)
        slow = self.broken(quick)
        if slow is None:
            return quick
        if self.limits.broken(count(quick, self.skeleton)):
            rng = np.random.default_rng(0)
            drawn = (self._random(rng) for _ in range(DRAWN_FOR_LEAST))
            if between := next((one for one in drawn if self.broken(one) is None), None):
                return between
            raise InvalidArchitecture(
                f"found no architecture that keeps all limits: {large} for the smallest one, {slow} for the fastest"
            )
        raise InvalidArchitecture(f"no architecture of the space is so fast: {slow} for the fastest one")

    # How genomes come about

    def _child(self, make: Callable[[], Architecture], rng: np.random.Generator) -> NewGenome[Architecture]:
        return self._within_limits(make, rng) if self.limits.children else NewGenome(make())

    def _within_limits(self, make: Callable[[], Architecture], rng: np.random.Generator) -> NewGenome[Architecture]:
        """The first genome from `make` within the limits; after `MAX_TRIES`, the last one, repaired."""
        genome = make()
        for rejected in range(MAX_TRIES):
            if self.broken(genome) is None:
                return NewGenome(genome, rejected)
            genome = make()
        return NewGenome(self._repaired(genome, rng), MAX_TRIES)

    def _repaired(self, genome: Architecture, rng: np.random.Generator) -> Architecture:
        """Edges of the smallest network take the place of its own, in random order, until it keeps the limits."""
        places = list(_places(genome))
        for k in rng.permutation(len(places)):
            if self.broken(genome) is None:
                break
            c, n, e = places[k]
            genome = self._with_edge(genome, places[k], self.least.cells[c].nodes[n][e])
        return genome

    def _random(self, rng: np.random.Generator) -> Architecture:
        return self._assembled(lambda number, place: self._random_edge(number, place, rng))

    def _random_edge(self, number: int, place: int, rng: np.random.Generator) -> Edge:
        operation = _pick(self.cells.operations, rng)
        return operation, place if self.cells.inputs == 1 else _pick(self.cells.sources(number), rng)

    def _assembled(self, edge: Callable[[int, int], Edge]) -> Architecture:
        """An architecture of the edges that `edge(node, place in the node)` gives."""
        cells = []
        for _ in range(self.cells.inputs):
            sizes = [2 if self.cells.inputs == 2 else number + 1 for number in range(self.cells.nodes)]
            nodes = [tuple(edge(number, place) for place in range(size)) for number, size in enumerate(sizes)]
            cells.append(self.cells.cell(tuple(nodes)))
        return Architecture(tuple(cells))

    def _change(
        self, genome: Architecture, rng: np.random.Generator, operation: bool, source: bool
    ) -> Architecture | None:
        """One edge gets another operation, another input, or both, drawn afresh."""
        if not operation and self.cells.inputs == 1:
            return None
        c, n, e = place = _pick(list(_places(genome)), rng)
        old = genome.cells[c].nodes[n][e]
        new = self._random_edge(n, e, rng)
        return self._with_edge(genome, place, (new[0] if operation else old[0], new[1] if source else old[1]))

    def _crossed(self, one: Architecture, other: Architecture, rng: np.random.Generator) -> Architecture:
        cells = []
        for cell, others in zip(one.cells, other.cells, strict=True):
            pairs = zip(cell.nodes, others.nodes, strict=True)
            nodes = [tuple(_pick(edges, rng) for edges in zip(*pair, strict=True)) for pair in pairs]
            cells.append(self.cells.cell(tuple(nodes)))
        return Architecture(tuple(cells))

    def _with_edge(self, genome: Architecture, place: tuple[int, int, int], edge: Edge) -> Architecture:
        c, n, e = place
        cell = genome.cells[c]
        node = (*cell.nodes[n][:e], edge, *cell.nodes[n][e + 1 :])
        changed = self.cells.cell((*cell.nodes[:n], node, *cell.nodes[n + 1 :]))
        return Architecture((*genome.cells[:c], changed, *genome.cells[c + 1 :]))


def _places(genome: Architecture) -> Iterator[tuple[int, int, int]]:
    """Cell, node and edge of every edge."""
    for c, cell in enumerate(genome.cells):
        for n, node in enumerate(cell.nodes):
            for e in range(len(node)):
                yield c, n, e


def _pick(options: Sequence[T], rng: np.random.Generator) -> T:
    return options[int(rng.random() * len(options))]
