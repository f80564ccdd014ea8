"""Latency of a network as a closed form: the sum of its parts, each measured once.

A measurement differs from one moment to the next, and the decisions of a search must not. Therefore the parts that a
space can place in a network are measured when a run begins, the table is stored with the run, and from then on the
latency of a genome is a pure function of genome and table, as its number of parameters is. Latency tables are from
ProxylessNAS (Cai et al. 2019) and FBNet (Wu et al. 2019).
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from germline.programs.architecture.cells import CellSpace
from germline.programs.architecture.genome import Architecture, Node
from germline.programs.architecture.layers import (
    CellShape,
    NetworkLayer,
    Part,
    cell_shapes,
    edge_part,
    layers,
    outside_edges,
)
from germline.programs.architecture.operations import OPERATIONS
from germline.programs.architecture.skeleton import Skeleton, placements

REST = Part("rest", 1, 0, 0, 0, 0)
"""Stands for the time of a cell beyond its layers, which is the same for every cell of a network."""


class NotMeasured(ValueError):
    """A table lacks a part of a network, because the network has another space or skeleton than those measured."""


class BadTable(ValueError):
    """Data that is not a latency table."""


@dataclass(frozen=True)
class LatencyTable:
    """Milliseconds of each part for one image.

    Args:
        parts: the measured times.
        device: on which they were measured.
    """

    parts: Mapping[Part, float]
    device: str = "cpu"

    def data(self) -> dict[str, Any]:
        """The table as JSON data: `device`, and `parts`, where each row is the six fields of a part and its time."""
        return {"device": self.device, "parts": [[*part, time] for part, time in self.parts.items()]}

    @classmethod
    def of(cls, data: Any) -> "LatencyTable":
        """The table of JSON data as `data()` returns it.

        Raises:
            BadTable: the data is of another form, or a time is not a finite number from 0.
        """
        try:
            rows = [(Part(str(row[0]), *map(int, row[1:6])), float(row[6])) for row in data["parts"] if len(row) == 7]
            valid = len(rows) == len(data["parts"]) and all(0.0 <= time < math.inf for _, time in rows)
            device = str(data["device"])
        except (KeyError, TypeError, ValueError, IndexError):
            valid = False
        if not valid:
            raise BadTable("expected a table of latencies, rows of six fields and milliseconds, got something else")
        return cls(dict(rows), device)


def predicted(architecture: Architecture, skeleton: Skeleton, table: LatencyTable) -> float:
    """Predicted milliseconds of the network for one image: the sum over its parts.

    Raises:
        NotMeasured: the table lacks a part of the network.
    """
    known = table.parts
    edges = _edge_parts(skeleton, architecture.inputs)
    try:
        times = [known[part] for part in _parts_outside_edges(skeleton, cell_shapes(architecture))]
        for kind, cell in enumerate(architecture.cells):
            for name, source in cell.edges:
                times += [known[part] for part in edges[kind, name, source < 2]]
    except KeyError:
        part = next(part for part in parts(architecture, skeleton) if part not in known)
        raise NotMeasured(
            f"expected a network of measured parts, got {part.name} of {part.in_channels} channels at "
            f"{part.height}×{part.width}; measure it with --latency"
        ) from None
    # Exactly rounded: the order of the parts makes no difference.
    return math.fsum(times)


def parts(architecture: Architecture, skeleton: Skeleton) -> Iterator[Part]:
    """All parts of the network, in the order in which it runs; `REST` for each cell comes last."""
    yield from _with_rest(layers(architecture, skeleton), skeleton)


def _with_rest(network: Iterable[NetworkLayer], skeleton: Skeleton) -> Iterator[Part]:
    for layer in network:
        for _ in range(layer.additions):
            yield layer.part
    for _ in range(skeleton.cells):
        yield REST


@lru_cache(maxsize=64)
def _parts_outside_edges(skeleton: Skeleton, shapes: tuple[CellShape, ...]) -> tuple[Part, ...]:
    return tuple(_with_rest(outside_edges(skeleton, shapes), skeleton))


@lru_cache(maxsize=64)
def _edge_parts(skeleton: Skeleton, cells: int) -> Mapping[tuple[int, str, bool], tuple[Part, ...]]:
    """The parts of an edge, one for each placement of its cell.

    A key is the number of the cell among the `cells` of a genome, the operation of the edge, and whether its source is
    number 0 or 1 (in a pair of cells, an input of the cell).
    """
    return {
        (cell, name, source < 2): tuple(
            edge_part(place, name, outer=cells == 2 and source < 2)
            for place in placements(skeleton)
            if cells == 1 or place.reduces == bool(cell)
        )
        for cell in range(cells)
        for name in OPERATIONS
        for source in (0, 2)
    }


def covering(cells: CellSpace) -> Iterator[Architecture]:
    """A few architectures that together have every part that an architecture of the space can have.

    They are, for each operation, an architecture with that operation on every edge and, for each number of maps that a
    cell can join, an architecture whose cells join as many.
    """
    for name in cells.operations:
        yield _architecture(cells, _nodes(cells, name, name))
    if cells.inputs == 2:
        first = cells.operations[0]
        for ends in range(2, cells.nodes + 1):
            yield _architecture(cells, _nodes(cells, first, first, ends))


def fastest(cells: CellSpace, skeleton: Skeleton, table: LatencyTable) -> Architecture:
    """The architecture of the space with the smallest latency; among equals the first that is tried.

    A loose end is a node that no other node takes. For given numbers of loose ends of the two cells, the time outside
    the edges is fixed, and the time of the edges is linear in the number of edges on a cell's inputs. Therefore it
    suffices to compare, for each number of loose ends, the fastest operations for edges on inputs and on nodes, with as
    many and with as few edges on nodes as possible.
    """

    def best(reduces: bool, outer: bool) -> str:
        """The operation with the smallest total time over all placements of a cell."""
        places = [place for place in placements(skeleton) if place.reduces == reduces or cells.inputs == 1]
        # A cell of one node has no inner edges, and the table has no times for them.
        times = {
            name: math.fsum(table.parts.get(edge_part(place, name, outer), 0.0) for place in places)
            for name in cells.operations
        }
        return min(times, key=lambda name: times[name])

    if cells.inputs == 1:
        inner = best(reduces=False, outer=False)
        return _architecture(cells, _nodes(cells, inner, inner))
    normal, outer, inner = best(False, False), best(True, True), best(True, False)
    all_ends = range(1, cells.nodes + 1)
    candidates = [
        _architecture(cells, _nodes(cells, normal, normal, normal_ends), _nodes(cells, outer, inner, ends, many))
        for normal_ends in all_ends
        for ends in all_ends
        for many in (True, False)
    ]
    return min(candidates, key=lambda candidate: predicted(candidate, skeleton, table))


def _architecture(cells: CellSpace, *nodes: tuple[Node, ...]) -> Architecture:
    """An architecture from the nodes of each of its cells, or from the nodes of one cell if both cells are equal."""
    result = [cells.cell(cell_nodes) for cell_nodes in nodes]
    return Architecture(tuple(result if len(result) == cells.inputs else result * cells.inputs))


def _nodes(cells: CellSpace, outer: str, inner: str, ends: int = 1, many: bool = True) -> tuple[Node, ...]:
    """Nodes with a given number of loose ends, or the next larger number that the space allows.

    Args:
        cells: the space.
        outer: operation of the edges on a cell's inputs.
        inner: operation of the edges on nodes.
        ends: number of loose ends.
        many: whether as many edges as possible are on nodes; otherwise as few.
    """
    if cells.inputs == 1:
        return tuple(tuple((inner, source) for source in cells.sources(number)) for number in range(cells.nodes))
    reach = 1 if cells.last else 2
    nodes = []
    for number in range(cells.nodes):
        on_input = (outer, min(1, cells.sources(number)[-1]))
        chained = number < cells.nodes - ends + reach
        if number < reach or ends == cells.nodes or not (many or chained):
            nodes.append((on_input, on_input))
        else:
            # A chain of nodes; nodes behind it are loose ends and take the first node, which the chain takes anyway.
            on_node = (inner, 2 + number - reach if chained else 2)
            nodes.append((on_node, on_node if many else on_input))
    return tuple(nodes)
