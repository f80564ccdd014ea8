"""Cell spaces: which architectures a search may draw.

A `CellSpace` says how many nodes a cell has, which operations its edges may be and where they may come from. `SPACES`
has those of EEEA-Net, DARTS and NAS-Bench-201 by name.
"""

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
"""The skeleton of DARTS and EEEA-Net on CIFAR-10: 20 cells, 36 channels, 32×32 images of ten classes."""


@dataclass(frozen=True)
class CellSpace:
    """A set of architectures, by the form of their cells.

    Args:
        operations: the operations that an edge can have.
        nodes: number of nodes of each cell.
        inputs: 2 for a normal and a reduction cell with two inputs, where each node has two edges with free sources;
            1 for a single cell with one input, where each node takes all earlier nodes and only operations are free.
        last: with two inputs, whether an edge can take the latest source: the node directly before its own or, for the
            first node, the second input. EEEA-Net's published code does not allow it (`eeea-exclusive`).
        concat: the nodes that a cell joins as its output: the nodes that no other node takes (`loose`), or `all`. A
            cell with one input returns its last node.
        skeleton: the skeleton for which the space was published.
    """

    operations: tuple[str, ...]
    nodes: int
    inputs: Literal[1, 2] = 2
    last: bool = True
    concat: Literal["loose", "all"] = "loose"
    skeleton: Skeleton = FULL

    def sources(self, node: int) -> range:
        """The numbers of the inputs and nodes that the edges of a node can take. The inputs are numbered first; `node`
        itself counts nodes alone, from 0."""
        return range(self.inputs + node - (0 if self.last or self.inputs == 1 else 1))

    def cell(self, nodes: tuple[Node, ...]) -> Cell:
        """The cell of these nodes, with the output that the space prescribes."""
        if self.inputs == 1:
            return Cell(nodes, (len(nodes),))
        numbers = tuple(range(self.inputs, self.inputs + len(nodes)))
        return Cell(nodes, numbers if self.concat == "all" else loose_ends(nodes, self.inputs))

    def smallest(self) -> Architecture:
        """The architecture with the fewest parameters and multiply-accumulates."""
        cheapest = min(self.operations, key=lambda name: cost(OPERATIONS[name], 1))
        nodes = []
        for number in range(self.nodes):
            sources = self.sources(number)
            # Each node takes the latest source, so that few nodes are loose ends.
            chosen = sources if self.inputs == 1 else (sources[-1], sources[-1])
            nodes.append(tuple((cheapest, source) for source in chosen))
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
