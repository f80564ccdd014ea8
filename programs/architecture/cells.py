"""Which cells there are: spaces as data."""

from dataclasses import dataclass
from typing import Literal

from germline.programs.architecture.genome import Architecture, Cell, Node, loose_ends
from germline.programs.architecture.operations import OPERATIONS, cost
from germline.programs.architecture.skeleton import Skeleton

DARTS_OPERATIONS = (
    "max_pool_3x3",
    "avg_pool_3x3",
    "skip_connect",
    "sep_conv_3x3",
    "sep_conv_5x5",
    "dil_conv_3x3",
    "dil_conv_5x5",
)
EEEA_OPERATIONS = (
    "max_pool_3x3",
    "avg_pool_3x3",
    "sep_conv_3x3",
    "sep_conv_5x5",
    "dil_conv_3x3",
    "dil_conv_5x5",
    "inv_res_3x3",
    "inv_res_5x5",
    "skip_connect",
)


FULL = Skeleton()
"""The network of the papers: 20 cells, 36 channels, on 32×32 images of ten classes."""


@dataclass(frozen=True)
class CellSpace:
    """Which cells there are.

    Args:
        operations: what an edge may be.
        nodes: of each cell.
        inputs: 2 for a normal and a reduction cell whose nodes choose two inputs each; 1 for one cell in which a node
            takes everything before it, and only the operations are chosen.
        last: whether a node may take the one right before it. Without (`exclusive`) is what EEEA-Net's code does.
        concat: what a cell hands on: its loose ends, or all of its nodes (of one with one input: the last).
        skeleton: of the network that the space is about.
    """

    operations: tuple[str, ...]
    nodes: int
    inputs: Literal[1, 2] = 2
    last: bool = True
    concat: Literal["loose", "all"] = "loose"
    skeleton: Skeleton = FULL

    def sources(self, node: int) -> range:
        """What the edges of a node may take."""
        return range(self.inputs + node - (0 if self.last or self.inputs == 1 else 1))

    def cell(self, nodes: tuple[Node, ...]) -> Cell:
        """A cell of these nodes that hands on what this space says."""
        if self.inputs == 1:
            return Cell(nodes, (len(nodes),))
        every = tuple(range(self.inputs, self.inputs + len(nodes)))
        return Cell(nodes, every if self.concat == "all" else loose_ends(nodes, self.inputs))

    def smallest(self) -> Architecture:
        """The network with the fewest parameters and multiply-accumulates: what costs least, and few loose ends."""
        cheapest = min(self.operations, key=lambda name: cost(OPERATIONS[name], 1))
        nodes = []
        for number in range(self.nodes):
            sources = self.sources(number)
            taken = sources if self.inputs == 1 else (sources[-1], sources[-1])
            nodes.append(tuple((cheapest, source) for source in taken))
        return Architecture((self.cell(tuple(nodes)),) * self.inputs)


SPACES = {
    "eeea-paper": CellSpace(EEEA_OPERATIONS, nodes=4),
    "eeea": CellSpace(EEEA_OPERATIONS, nodes=5),
    "eeea-exclusive": CellSpace(EEEA_OPERATIONS, nodes=5, last=False),
    "darts": CellSpace(DARTS_OPERATIONS, nodes=4, concat="all"),
    "nb201": CellSpace(
        ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"),
        nodes=3,
        inputs=1,
        skeleton=Skeleton(channels=16, cells=15),
    ),
}
