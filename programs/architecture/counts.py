"""Parameters and multiply-accumulates of a network, in closed form from its genome: nothing is built.

Both equal the counts of the built network exactly. Multiply-accumulates are counted for convolutions and the linear
layer, for one image.

Results are cached: the counts of an edge, summed over all placements of its cell, by operation; and the counts of all
other layers by the `CellShape` of the cells, which decides them.
"""

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from germline.programs.architecture.genome import Architecture
from germline.programs.architecture.layers import CellShape, NetworkLayer, cell_shapes, outside_edges
from germline.programs.architecture.operations import OPERATIONS, cost
from germline.programs.architecture.skeleton import Placement, Skeleton, halved, placements


class Counts(NamedTuple):
    """The size of a network: parameters, and multiply-accumulates for one image."""

    params: int
    macs: int


def count(architecture: Architecture, skeleton: Skeleton) -> Counts:
    """Parameters and multiply-accumulates of the network."""
    params, macs = _counts_outside_edges(skeleton, cell_shapes(architecture))
    for cell, edge_counts in zip(architecture.cells, _edge_counts(skeleton, architecture.inputs), strict=True):
        for node in cell.nodes:
            for operation, source in node:
                edge = edge_counts[operation, source < 2]
                params += edge[0]
                macs += edge[1]
    return Counts(params, macs)


# Edges

_COSTS = {(name, stride): cost(operation, stride) for name, operation in OPERATIONS.items() for stride in (1, 2)}


@lru_cache(maxsize=256)
def _edge_counts(skeleton: Skeleton, cells: int) -> tuple[Mapping[tuple[str, bool], Counts], ...]:
    """Counts of an edge, summed over all placements of its cell, in a mapping for each of the `cells` of a genome.

    A key is the operation of the edge, and whether its source is number 0 or 1 (in a pair of cells, an input of the
    cell). A single cell has all placements; of a pair, the reduction cell has those at which the map is halved.
    """
    places = placements(skeleton)
    if cells == 1:
        return (_counts_at(places, outer_stride=1),)
    normal, reduction = ([place for place in places if place.reduces == reduces] for reduces in (False, True))
    return _counts_at(normal, outer_stride=1), _counts_at(reduction, outer_stride=2)


def _counts_at(places: Sequence[Placement], outer_stride: int) -> Mapping[tuple[str, bool], Counts]:
    squares = sum(place.channels**2 for place in places)
    channels = sum(place.channels for place in places)
    in_squares = sum(math.prod(place.in_shape) * place.channels**2 for place in places)
    in_channels = sum(math.prod(place.in_shape) * place.channels for place in places)
    out_squares = sum(math.prod(place.out_shape) * place.channels**2 for place in places)
    out_channels = sum(math.prod(place.out_shape) * place.channels for place in places)
    between_squares = sum(place.in_shape[0] * place.out_shape[1] * place.channels**2 for place in places)
    between_channels = sum(place.in_shape[0] * place.out_shape[1] * place.channels for place in places)
    result = {}
    for name in OPERATIONS:
        for outer in (False, True):
            factors = _COSTS[name, outer_stride if outer else 1]
            params = factors.params2 * squares + factors.params1 * channels
            macs = factors.in2 * in_squares + factors.in1 * in_channels
            macs += factors.out2 * out_squares + factors.out1 * out_channels
            macs += factors.between2 * between_squares + factors.between1 * between_channels
            result[name, outer] = Counts(params, macs)
    return result


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
