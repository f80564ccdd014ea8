"""Parameters and multiply-accumulates of a network, in closed form from its genome: nothing is built.

They equal those of the built network to the unit. Multiply-accumulates are those of convolutions and of the linear
layer, for one image.

The edges of a cell are counted by their cost on C channels, with C summed over the placements of the cell. All other
layers depend only on the numbers of nodes and of joined maps; they are counted once for each of these.
"""

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from germline.programs.architecture.genome import Architecture, Cell
from germline.programs.architecture.layers import CellShape, NetworkLayer, cell_shapes, outside_edges
from germline.programs.architecture.operations import FREE, OPERATIONS, Cost, cost
from germline.programs.architecture.skeleton import Placement, Skeleton, halved, placements


class Counts(NamedTuple):
    """The size of a network: parameters, and multiply-accumulates for one image."""

    params: int
    macs: int


def count(architecture: Architecture, skeleton: Skeleton) -> Counts:
    """Parameters and multiply-accumulates of the network."""
    cells = architecture.cells
    params, macs = _counts_outside_edges(skeleton, cell_shapes(architecture))
    for number, (cell, totals) in enumerate(zip(cells, _totals(skeleton, len(cells)), strict=True)):
        edges = _cell_cost(cell, 1 + number)
        params += edges.params2 * totals.squares + edges.params1 * totals.channels
        macs += edges.in2 * totals.in_squares + edges.in1 * totals.in_channels
        macs += edges.out2 * totals.out_squares + edges.out1 * totals.out_channels
    return Counts(params, macs)


# Edges

_COSTS = {(name, stride): cost(operation, stride) for name, operation in OPERATIONS.items() for stride in (1, 2)}


def _cell_cost(cell: Cell, stride: int) -> Cost:
    """The cost of all edges; those on the cell's inputs (0 and 1) have the stride."""
    costs = [_COSTS[name, stride if source < 2 else 1] for name, source in cell.edges]
    return Cost(*map(sum, zip(*costs, strict=True))) if costs else FREE


class _Totals(NamedTuple):
    """What the factors of a `Cost` are multiplied with, summed over the placements of a cell: C² and C, and their
    products with the number of positions of the map that enters (`in_`) and of the map that leaves (`out_`)."""

    squares: int
    channels: int
    in_squares: int
    in_channels: int
    out_squares: int
    out_channels: int


@lru_cache(maxsize=256)
def _totals(skeleton: Skeleton, cells: int) -> tuple[_Totals, ...]:
    """Of each cell of a genome with so many cells: one stands everywhere; of two, one where the map is halved."""
    every = placements(skeleton)
    if cells == 1:
        return (_total(every),)
    return tuple(_total([place for place in every if place.reduces == reduces]) for reduces in (False, True))


def _total(places: Sequence[Placement]) -> _Totals:
    rows = []
    for place in places:
        channels, square = place.channels, place.channels**2
        entering, leaving = math.prod(place.in_shape), math.prod(place.out_shape)
        rows.append((square, channels, entering * square, entering * channels, leaving * square, leaving * channels))
    return _Totals(*map(sum, zip(*rows, strict=True))) if rows else _Totals(0, 0, 0, 0, 0, 0)


# Everything else


@lru_cache(maxsize=256)
def _counts_outside_edges(skeleton: Skeleton, shapes: tuple[CellShape, ...]) -> Counts:
    counts = [_layer_counts(layer) for layer in outside_edges(skeleton, shapes)]
    return Counts(*map(sum, zip(*counts, strict=True)))


def _layer_counts(layer: NetworkLayer) -> Counts:
    name, stride, in_channels, out_channels, height, width = layer.part
    positions = height * width if stride == 1 else halved(height) * halved(width)
    if name == "head":
        weights = in_channels * out_channels
        return Counts(weights + out_channels + (2 * in_channels if layer.norm else 0), weights)
    if name == "stem":
        weights, norms = 9 * in_channels * out_channels, 1
    elif name in ("enter", "halve"):
        weights, norms = in_channels * out_channels, 1
    elif name == "block":
        # Two 3×3 convolutions with norms, and a 1×1 convolution beside them.
        weights, norms = (10 * in_channels + 9 * out_channels) * out_channels, 2
    else:
        return Counts(0, 0)
    return Counts(weights + norms * 2 * out_channels, positions * weights)
