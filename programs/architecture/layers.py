"""A network as a list of layers: the one place where stem, cells, reductions and classifier are put together.

Counts, latency, the torch module, the instructions of the batched trainer and the ONNX file all read this list. Each of
them defines the layers in its own terms; which layers there are, of which shape and in which order, is defined here.
"""

from functools import lru_cache
from typing import NamedTuple

from germline.programs.architecture.genome import Architecture, Cell
from germline.programs.architecture.skeleton import STEM, Placement, Skeleton, placements

IMAGE = -1
"""Stands for the images where the number of a layer is expected, in `NetworkLayer.inputs`."""


class Part(NamedTuple):
    """The computation of a layer for one image. Layers with equal parts have equal numbers of parameters, equal
    multiply-accumulates and equal latency.

    Args:
        name: of an operation, or one of
            `stem`, a 3×3 convolution and a norm;
            `enter`, a ReLU, a 1×1 convolution and a norm that bring a cell's input to the cell's channels;
            `halve`, the same at stride 2, as a factorized reduction;
            `block`, the residual block that halves the map in a network with one kind of cell;
            `add`, one addition of two maps;
            `concat`, maps joined by channels;
            `head`, the mean over positions and the linear classifier.
        stride: 1 or 2.
        in_channels: of each map that enters.
        out_channels: of the map that leaves.
        height, width: of the map that enters.
    """

    name: str
    stride: int
    in_channels: int
    out_channels: int
    height: int
    width: int


class NetworkLayer(NamedTuple):
    """One layer of a network.

    Args:
        part: what it computes; for `add`, a single addition.
        inputs: the numbers of the layers whose outputs it takes.
        cell: 0 for the stem; cells and residual blocks count from 1, and the head comes after the last.
        path: of its module in `Network`; empty for `add` and `concat`, which have none.
        norm: whether a norm and a ReLU come first; true only for the head of a network with one kind of cell.
    """

    part: Part
    inputs: tuple[int, ...]
    cell: int = 0
    path: str = ""
    norm: bool = False

    @property
    def additions(self) -> int:
        """How often the layer computes `part`: n - 1 times for the sum of n maps, once for any other layer."""
        return len(self.inputs) - 1 if self.part.name == "add" else 1


def layers(architecture: Architecture, skeleton: Skeleton) -> list[NetworkLayer]:
    """All layers of the network, in the order in which it runs."""
    return (
        _pair_network(architecture, skeleton) if architecture.inputs == 2 else _single_network(architecture, skeleton)
    )


def edge_part(placement: Placement, operation: str, outer: bool) -> Part:
    """The module that an edge is.

    Args:
        placement: of the cell in the network.
        operation: of the edge.
        outer: True if the edge begins at an input of the cell, and has stride 2 in a reduction cell; False if it begins
            at a node.
    """
    shape = placement.in_shape if outer else placement.out_shape
    return Part(operation, 2 if outer and placement.reduces else 1, placement.channels, placement.channels, *shape)


class CellShape(NamedTuple):
    """The numbers that decide which layers a cell has besides its edges.

    Attributes:
        nodes: of the cell.
        joined: nodes whose maps are the cell's output, one after the other in the channels.
    """

    nodes: int
    joined: int


def cell_shapes(architecture: Architecture) -> tuple[CellShape, ...]:
    """The shape of each cell."""
    return tuple([CellShape(len(cell.nodes), len(cell.concat)) for cell in architecture.cells])


@lru_cache(maxsize=256)
def outside_edges(skeleton: Skeleton, shapes: tuple[CellShape, ...]) -> tuple[NetworkLayer, ...]:
    """All layers, except those of edges, of a network whose cells have these shapes.

    Of their `inputs` only the number is that of the network.
    """
    cells = []
    for nodes, joined in shapes:
        sizes = [2 if len(shapes) == 2 else number + 1 for number in range(nodes)]
        cells.append(Cell(tuple((("none", 0),) * size for size in sizes), tuple(range(joined))))
    return tuple(layer for layer in layers(Architecture(tuple(cells)), skeleton) if layer.part.name != "none")


def _pair_network(architecture: Architecture, skeleton: Skeleton) -> list[NetworkLayer]:
    """A network with normal and reduction cells; each cell takes the outputs of the two cells before it."""
    result = [_stem(skeleton, STEM * skeleton.channels)]
    before = last = 0
    for number, placement in enumerate(placements(skeleton), 1):
        cell, channels, path = architecture.cells[placement.reduces], placement.channels, f"cells.{number - 1}"
        name = "halve" if placement.after_reduction else "enter"
        in_channels = result[before].part.out_channels, result[last].part.out_channels
        first = Part(name, 1 + placement.after_reduction, in_channels[0], channels, *placement.before_shape)
        second = Part("enter", 1, in_channels[1], channels, *placement.in_shape)
        result.append(NetworkLayer(first, (before,), number, f"{path}.enter0"))
        result.append(NetworkLayer(second, (last,), number, f"{path}.enter1"))
        maps = _append_nodes(result, cell, placement, number, [len(result) - 2, len(result) - 1])
        joined = Part("concat", 1, channels, channels * len(cell.concat), *placement.out_shape)
        result.append(NetworkLayer(joined, tuple(maps[node] for node in cell.concat), number))
        before, last = last, len(result) - 1
    result.append(_head(result, skeleton, norm=False))
    return result


def _single_network(architecture: Architecture, skeleton: Skeleton) -> list[NetworkLayer]:
    """A network with one kind of cell; a residual block halves the map before the first cell of each later stage."""
    result = [_stem(skeleton, skeleton.channels)]
    number = 0
    for placement in placements(skeleton):
        if placement.reduces:
            number += 1
            block = Part("block", 2, placement.channels // 2, placement.channels, *placement.in_shape)
            result.append(NetworkLayer(block, (len(result) - 1,), number, f"cells.{number - 1}"))
        number += 1
        _append_nodes(result, architecture.cells[0], placement, number, [len(result) - 1])
    result.append(_head(result, skeleton, norm=True))
    return result


def _append_nodes(
    result: list[NetworkLayer], cell: Cell, placement: Placement, number: int, maps: list[int]
) -> list[int]:
    """Appends a layer for each edge of a cell, and for each node a layer that adds its edges.

    Args:
        result: the layers of the network so far.
        cell: the cell.
        placement: its place in the network.
        number: the number of the cell, for `NetworkLayer.cell`.
        maps: the number of the layer of each input of the cell.

    Returns:
        `maps`, continued by the number of the layer of each node: an index into it is the source of an edge.
    """
    inputs, edges = len(maps), 0
    added = Part("add", 1, placement.channels, placement.channels, *placement.out_shape)
    for node in cell.nodes:
        first = len(result)
        for operation, source in node:
            part = edge_part(placement, operation, outer=inputs == 2 and source < inputs)
            result.append(NetworkLayer(part, (maps[source],), number, f"cells.{number - 1}.edges.{edges}"))
            edges += 1
        result.append(NetworkLayer(added, tuple(range(first, len(result))), number))
        maps.append(len(result) - 1)
    return maps


def _stem(skeleton: Skeleton, channels: int) -> NetworkLayer:
    return NetworkLayer(Part("stem", 1, skeleton.image[0], channels, *skeleton.image[1:]), (IMAGE,), path="stem")


def _head(result: list[NetworkLayer], skeleton: Skeleton, norm: bool) -> NetworkLayer:
    last, shape = result[-1], placements(skeleton)[-1].out_shape
    part = Part("head", 1, last.part.out_channels, skeleton.classes, *shape)
    return NetworkLayer(part, (len(result) - 1,), last.cell + 1, "classifier", norm)
