"""Parameters and multiply-accumulates of a network, in closed form from its genome: nothing is built.

They equal those of the built network to the unit. Multiply-accumulates are those of convolutions and of the linear
layer, for one image; the auxiliary head never counts.
"""

from dataclasses import dataclass
from typing import NamedTuple

from germline.programs.architecture.genome import Architecture, Cell
from germline.programs.architecture.operations import FREE, OPERATIONS, Cost, cost

STEM = 3
"""The stem of a network with two kinds of cell has so many times the first cell's channels."""


@dataclass(frozen=True, slots=True)
class Skeleton:
    """What surrounds the cells: how many there are, and how wide; what comes in and what goes out.

    At one third and two thirds of the depth the map is halved and the channels are doubled.
    """

    channels: int = 36
    cells: int = 20
    classes: int = 10
    image: tuple[int, int, int] = (3, 32, 32)
    """Channels, height, width."""

    @property
    def reductions(self) -> tuple[int, int]:
        """The cells at which the map is halved; with fewer than three cells both may be the same."""
        return self.cells // 3, 2 * self.cells // 3


class Counts(NamedTuple):
    """The size of a network: parameters, and multiply-accumulates for one image."""

    params: int
    macs: int


def count(architecture: Architecture, skeleton: Skeleton) -> Counts:
    """What the network of these cells costs."""
    return _two_cells(architecture, skeleton) if architecture.inputs == 2 else _one_cell(architecture, skeleton)


def _two_cells(architecture: Architecture, skeleton: Skeleton) -> Counts:
    normal, reduction = architecture.cells
    costs = (_cell_cost(normal, 1), _cell_cost(reduction, 2))
    joined = (len(normal.concat), len(reduction.concat))
    colours, height, width = skeleton.image
    channels = skeleton.channels
    before = last = STEM * channels
    positions = height * width
    params = 9 * colours * last + 2 * last
    macs = positions * 9 * colours * last
    reductions = skeleton.reductions
    for number in range(skeleton.cells):
        entering = positions
        reduces = number in reductions
        if reduces:
            channels, height, width = 2 * channels, halved(height), halved(width)
            positions = height * width
        # Both inputs are brought to the cell's channels; one from before a reduction is halved as well.
        params += (before + last) * channels + 4 * channels
        macs += entering * (before + last) * channels
        here = costs[reduces]
        square = channels * channels
        params += here.params2 * square + here.params1 * channels
        macs += entering * (here.in2 * square + here.in1 * channels)
        macs += positions * (here.out2 * square + here.out1 * channels)
        before, last = last, joined[reduces] * channels
    return _with_head(params, macs, last, skeleton.classes)


def _one_cell(architecture: Architecture, skeleton: Skeleton) -> Counts:
    here = _cell_cost(architecture.cells[0], 1)
    colours, height, width = skeleton.image
    channels = skeleton.channels
    positions = height * width
    params = 9 * colours * channels + 2 * channels
    macs = positions * 9 * colours * channels
    for number in range(skeleton.cells):
        if number in skeleton.reductions:
            # A residual block: two 3×3 convolutions with norms, and a 1×1 convolution beside them.
            channels, height, width = 2 * channels, halved(height), halved(width)
            positions = height * width
            half, square = channels // 2 * channels, channels * channels
            params += 9 * half + 9 * square + half + 4 * channels
            macs += positions * (9 * half + 9 * square + half)
        params += here.params2 * channels * channels + here.params1 * channels
        macs += positions * (here.out2 * channels * channels + here.out1 * channels)
    return _with_head(params + 2 * channels, macs, channels, skeleton.classes)


def _with_head(params: int, macs: int, channels: int, classes: int) -> Counts:
    return Counts(params + channels * classes + classes, macs + channels * classes)


def halved(size: int) -> int:
    """The side of a map after a stride of 2."""
    return -(-size // 2)


_COSTS = {(name, stride): cost(operation, stride) for name, operation in OPERATIONS.items() for stride in (1, 2)}


def _cell_cost(cell: Cell, stride: int) -> Cost:
    """All edges together; those from the cell's inputs (0 and 1) have the stride."""
    costs = [_COSTS[name, stride if source < 2 else 1] for name, source in cell.edges]
    return Cost(*map(sum, zip(*costs, strict=True))) if costs else FREE
