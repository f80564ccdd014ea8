"""The skeleton of a network: everything but its cells."""

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

STEM = 3
"""In a network with normal and reduction cells, the stem's channels are this multiple of the first cell's."""


@dataclass(frozen=True, slots=True)
class Skeleton:
    """Number of cells, width, image shape and number of classes of a network.

    At one third and two thirds of the depth the side of the map is halved and the channels are doubled.

    Args:
        channels: of the first cell.
        cells: how many cells follow each other.
        classes: the number of logits.
        image: channels, height, width.
    """

    channels: int = 36
    cells: int = 20
    classes: int = 10
    image: tuple[int, int, int] = (3, 32, 32)

    @property
    def reductions(self) -> tuple[int, int]:
        """The indices of the cells at which the map is halved; with fewer than three cells they may be equal."""
        return self.cells // 3, 2 * self.cells // 3


class Placement(NamedTuple):
    """Where a cell stands in a network.

    Args:
        reduces: whether the map is halved at this cell.
        after_reduction: whether the map is halved at the cell before.
        channels: of every node of the cell.
        before_shape: height and width of the map that enters the cell before; for the first cell, of the image.
        in_shape: height and width of the map that enters.
        out_shape: height and width of the map that leaves.
    """

    reduces: bool
    after_reduction: bool
    channels: int
    before_shape: tuple[int, int]
    in_shape: tuple[int, int]
    out_shape: tuple[int, int]


@lru_cache(maxsize=256)
def placements(skeleton: Skeleton) -> tuple[Placement, ...]:
    """The placement of each cell, in order."""
    result: list[Placement] = []
    channels, before, shape, after_reduction = skeleton.channels, skeleton.image[1:], skeleton.image[1:], False
    for number in range(skeleton.cells):
        reduces, in_shape = number in skeleton.reductions, shape
        if reduces:
            channels, shape = 2 * channels, (halved(shape[0]), halved(shape[1]))
        result.append(Placement(reduces, after_reduction, channels, before, in_shape, shape))
        before, after_reduction = in_shape, reduces
    return tuple(result)


def halved(size: int) -> int:
    """The side of a map after a stride of 2."""
    return -(-size // 2)
