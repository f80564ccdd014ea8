"""Latency of a network as a closed form: the sum of its parts, each of which was measured once.

A measurement differs from one moment to the next, and what a search decides must not. So the parts that a space can
place in a network are measured when a run begins, the table of them is kept with the run, and from then on the latency
of a genome is a pure function of both, as its parameters are. Latency tables are those of ProxylessNAS (Cai et al.
2019) and FBNet (Wu et al. 2019).
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from germline.programs.architecture.cells import CellSpace
from germline.programs.architecture.counts import STEM, Skeleton, halved
from germline.programs.architecture.genome import Architecture, Node
from germline.programs.architecture.operations import OPERATIONS

MODULES = frozenset(("stem", "enter", "halve", "block", "head", *OPERATIONS))
"""Parts that are modules of the built network, of which the parts of an architecture name each one in its order."""


class Part(NamedTuple):
    """What takes time in a network for one image: an operation's name, or one of these.

    `stem`; `enter` and `halve`, the convolutions that bring a cell's input to its channels, and to half of the map;
    `add`, one addition of two maps; `concat`, a cell's maps joined; `block`, the residual block between the stages of a
    network with one kind of cell; `head`, the classifier; `rest`, what a cell takes beyond its parts.
    """

    name: str
    stride: int
    taken: int
    """Channels that come in."""
    made: int
    """Channels that go out."""
    height: int
    width: int
    """Of the map that comes in."""


REST = Part("rest", 1, 0, 0, 0, 0)
"""The same for every cell of a network."""


class NotMeasured(ValueError):
    """A network has a part that the table does not know: it is of another space, or of another size."""


class BadTable(ValueError):
    """Data that is no table of latencies."""


@dataclass(frozen=True)
class LatencyTable:
    """Milliseconds of each part for one image, on the device on which they were measured."""

    parts: Mapping[Part, float]
    device: str = "cpu"

    def data(self) -> dict[str, Any]:
        """As plain data: `device`, and `parts`, rows of a part's six fields and its milliseconds."""
        return {"device": self.device, "parts": [[*part, time] for part, time in self.parts.items()]}

    @classmethod
    def of(cls, data: Any) -> "LatencyTable":
        """The table that `data()` gave.

        Raises:
            BadTable: it gave no such thing.
        """
        try:
            rows = [(Part(str(row[0]), *map(int, row[1:6])), float(row[6])) for row in data["parts"] if len(row) == 7]
            whole = len(rows) == len(data["parts"]) and all(0.0 <= time < math.inf for _, time in rows)
            device = str(data["device"])
        except (KeyError, TypeError, ValueError, IndexError):
            whole = False
        if not whole:
            raise BadTable("expected a table of latencies, rows of six fields and milliseconds, got something else")
        return cls(dict(rows), device)


def predicted(architecture: Architecture, skeleton: Skeleton, table: LatencyTable) -> float:
    """Milliseconds for one image that the table gives for the network of these cells.

    Raises:
        NotMeasured: the table lacks a part of the network.
    """
    known = table.parts
    try:
        # Exactly rounded, so that no order of the parts makes a difference.
        return math.fsum([known[part] for part in parts(architecture, skeleton)])
    except KeyError as missing:
        part = missing.args[0]
        raise NotMeasured(
            f"expected a network of measured parts, got {part.name} of {part.taken} channels at "
            f"{part.height}×{part.width}; measure it with --latency"
        ) from None


def parts(architecture: Architecture, skeleton: Skeleton) -> Iterator[Part]:
    """All parts of the network, in the order in which it runs."""
    return _two_cells(architecture, skeleton) if architecture.inputs == 2 else _one_cell(architecture, skeleton)


def _two_cells(architecture: Architecture, skeleton: Skeleton) -> Iterator[Part]:
    before = last = STEM * skeleton.channels
    earlier = skeleton.image[1:]
    yield Part("stem", 1, skeleton.image[0], last, *earlier)
    for place in _places(skeleton):
        cell, channels = architecture.cells[place.reduces], place.channels
        yield Part("halve" if place.reduced else "enter", 1 + place.reduced, before, channels, *earlier)
        yield Part("enter", 1, last, channels, *place.taken)
        for node in cell.nodes:
            for name, source in node:
                yield place.edge(name, outer=source < 2)
            yield place.added()
        before, last, earlier = last, channels * len(cell.concat), place.taken
        yield Part("concat", 1, channels, last, *place.made)
        yield REST
    yield Part("head", 1, last, skeleton.classes, *place.made)


def _one_cell(architecture: Architecture, skeleton: Skeleton) -> Iterator[Part]:
    cell = architecture.cells[0]
    yield Part("stem", 1, skeleton.image[0], skeleton.channels, *skeleton.image[1:])
    for place in _places(skeleton):
        if place.reduces:
            yield Part("block", 2, place.channels // 2, place.channels, *place.taken)
        for node in cell.nodes:
            for name, _ in node:
                yield place.edge(name, outer=False)
            for _ in node[1:]:
                yield place.added()
        yield REST
    yield Part("head", 1, place.channels, skeleton.classes, *place.made)


class _Place(NamedTuple):
    """Where a cell stands in a network."""

    reduces: bool
    reduced: bool
    """Whether the cell before it has."""
    channels: int
    taken: tuple[int, int]
    """Height and width of the map that comes in."""
    made: tuple[int, int]

    def edge(self, name: str, outer: bool) -> Part:
        """An operation, on an input of the cell or on a node of it."""
        shape = self.taken if outer else self.made
        return Part(name, 2 if outer and self.reduces else 1, self.channels, self.channels, *shape)

    def added(self) -> Part:
        return Part("add", 1, self.channels, self.channels, *self.made)


def _places(skeleton: Skeleton) -> Iterator[_Place]:
    channels, shape, reduced = skeleton.channels, skeleton.image[1:], False
    for number in range(skeleton.cells):
        taken, reduces = shape, number in skeleton.reductions
        if reduces:
            channels, shape = 2 * channels, (halved(shape[0]), halved(shape[1]))
        yield _Place(reduces, reduced, channels, taken, shape)
        reduced = reduces


# What a space needs


def required(cells: CellSpace, skeleton: Skeleton) -> tuple[Part, ...]:
    """Every part that a network of the space can have, once."""
    return tuple({part: None for one in covering(cells) for part in parts(one, skeleton)})


def covering(cells: CellSpace) -> Iterator[Architecture]:
    """A few architectures that together have every part that one of the space can have.

    Of each operation a network of nothing else, and of each number of loose ends one whose cells hand on so many.
    """
    for name in cells.operations:
        yield _architecture(cells, _nodes(cells, name, name))
    if cells.inputs == 2:
        first = cells.operations[0]
        for ends in range(2, cells.nodes + 1):
            yield _architecture(cells, _nodes(cells, first, first, ends))


def fastest(cells: CellSpace, skeleton: Skeleton, table: LatencyTable) -> Architecture:
    """The architecture of the space with the smallest latency; of equals the first found.

    With so many loose ends of either cell, the time of what surrounds its edges is fixed, and that of the edges is
    linear in how many of them take a cell's inputs. So nothing has to be compared but the best operations for the two
    kinds of edges, with as many and as few of these as there can be, for each number of loose ends.
    """

    def best(reduces: bool, outer: bool) -> str:
        """The operation that takes least in all places of a kind."""
        places = [place for place in _places(skeleton) if place.reduces == reduces or cells.inputs == 1]
        # A cell of one node has no inner edges, and the table none of their parts.
        times = {
            name: math.fsum(table.parts.get(place.edge(name, outer), 0.0) for place in places)
            for name in cells.operations
        }
        return min(times, key=lambda name: times[name])

    if cells.inputs == 1:
        inner = best(reduces=False, outer=False)
        return _architecture(cells, _nodes(cells, inner, inner))
    normal, outer, inner = best(False, False), best(True, True), best(True, False)
    every = range(1, cells.nodes + 1)
    candidates = [
        _architecture(cells, _nodes(cells, normal, normal, ends), _nodes(cells, outer, inner, others, many))
        for ends in every
        for others in every
        for many in (True, False)
    ]
    return min(candidates, key=lambda one: predicted(one, skeleton, table))


def _architecture(cells: CellSpace, *nodes: tuple[Node, ...]) -> Architecture:
    """Of these nodes of each cell; of one cell's, if those of both are the same."""
    made = [cells.cell(one) for one in nodes]
    return Architecture(tuple(made if len(made) == cells.inputs else made * cells.inputs))


def _nodes(cells: CellSpace, outer: str, inner: str, ends: int = 1, many: bool = True) -> tuple[Node, ...]:
    """Nodes of which so many are loose ends, or as few more as the space allows.

    Edges that take a cell's input are `outer`, those that take a node are `inner`; of these there are as many as can
    be, or as few.
    """
    if cells.inputs == 1:
        return tuple(tuple((inner, source) for source in cells.sources(number)) for number in range(cells.nodes))
    reach = 1 if cells.last else 2
    nodes = []
    for number in range(cells.nodes):
        out = (outer, min(1, cells.sources(number)[-1]))
        chained = number < cells.nodes - ends + reach
        if number < reach or ends == cells.nodes or not (many or chained):
            nodes.append((out, out))
        else:
            # The chain leaves its last nodes loose; what comes after it takes the first node, which is taken anyway.
            taken = (inner, 2 + number - reach if chained else 2)
            nodes.append((taken, taken if many else out))
    return tuple(nodes)
