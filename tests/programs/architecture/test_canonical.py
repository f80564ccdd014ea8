"""Fingerprints of architectures against every renumbering there is."""

import os
from itertools import permutations

import numpy as np
import pytest
import torch

from germline.programs.architecture.canonical import fingerprint
from germline.programs.architecture.cells import SPACES, CellSpace
from germline.programs.architecture.genome import Architecture, Cell, Node
from germline.programs.architecture.network import Network
from germline.programs.architecture.operations import OPERATIONS
from germline.programs.architecture.skeleton import Skeleton
from germline.programs.architecture.space import ArchitectureSpace

SCALE = float(os.environ.get("GERMLINE_SCALE", "1"))
SMALL = CellSpace(("max_pool_3x3", "skip_connect"), nodes=3, concat="all")
"""So few architectures that two random ones are often the same network."""


def renumberings(cell: Cell, inputs: int) -> set[tuple[tuple[Node, ...], tuple[int, ...]]]:
    """The cell with its nodes in every order that computes each before it is used, edges sorted."""
    found = set()
    count = len(cell.nodes)
    for order in permutations(range(count)):
        number = {i: i for i in range(inputs)} | {inputs + old: inputs + new for new, old in enumerate(order)}
        nodes = []
        for new, old in enumerate(order):
            edges = [(name, number[source]) for name, source in cell.nodes[old] if not OPERATIONS[name].zero]
            if any(source >= inputs + new for _, source in edges):
                break
            nodes.append(tuple(sorted(edges)))
        else:
            found.add((tuple(nodes), tuple(sorted(number[node] for node in cell.concat))))
    return found


def same_network(one: Architecture, other: Architecture) -> bool:
    pairs = zip(one.cells, other.cells, strict=True)
    return all(renumberings(a, one.inputs) & renumberings(b, other.inputs) for a, b in pairs)


def relabelled(genome: Architecture, rng: np.random.Generator) -> Architecture:
    """Another way to write the same network: nodes in another order, edges swapped."""
    cells = []
    for cell in genome.cells:
        ways = sorted(renumberings(cell, genome.inputs))
        nodes, concat = ways[int(rng.integers(len(ways)))]
        cells.append(Cell(tuple(node[::-1] if rng.random() < 0.5 else node for node in nodes), concat))
    return Architecture(tuple(cells))


@pytest.mark.slow
@pytest.mark.parametrize("name", [*SPACES, "small"])
def test_equal_fingerprints_mean_equal_networks_and_the_other_way_round(name: str) -> None:
    cells = SPACES.get(name, SMALL)
    space = ArchitectureSpace(cells, Skeleton())
    rng = np.random.default_rng(4)
    equal = 0
    for _ in range(int(150 * SCALE)):
        one, other = space.draw(rng).genome, space.draw(rng).genome
        for near in (other, space.vary(one, "mutate", rng).genome):
            same = same_network(one, near)
            assert (fingerprint(one) == fingerprint(near)) == same
            equal += same
        assert fingerprint(relabelled(one, rng)) == fingerprint(one)
    assert equal > 0


def test_a_node_used_twice_is_not_two_equal_nodes() -> None:
    shared = ((("sep_conv_3x3", 0), ("sep_conv_3x3", 1)), (("skip_connect", 0), ("skip_connect", 1)))
    twice = (*shared, (("max_pool_3x3", 2), ("avg_pool_3x3", 2)), (("skip_connect", 3), ("skip_connect", 3)))
    again = (
        shared[0],
        shared[0],
        (("max_pool_3x3", 2), ("avg_pool_3x3", 3)),
        (("skip_connect", 2), ("skip_connect", 3)),
    )
    cell, other = Cell(twice, (4, 5)), Cell(again, (4, 5))
    assert fingerprint(Architecture((cell, cell))) != fingerprint(Architecture((other, cell)))


def test_the_cells_do_not_change_places() -> None:
    space = ArchitectureSpace(SPACES["darts"], Skeleton())
    normal, reduction = space.draw(np.random.default_rng(0)).genome.cells
    assert fingerprint(Architecture((normal, reduction))) != fingerprint(Architecture((reduction, normal)))


def test_many_equal_nodes_take_no_time() -> None:
    node = (("skip_connect", 0), ("skip_connect", 1))
    cell = Cell((node,) * 8, tuple(range(2, 10)))
    assert len(fingerprint(Architecture((cell, cell)))) == 24


@pytest.mark.slow
def test_a_relabelled_network_computes_the_same() -> None:
    """With all weights alike, so that the order in which channels are joined makes no difference."""
    space = ArchitectureSpace(SMALL, Skeleton(channels=4, cells=3, image=(3, 8, 8)))
    rng = np.random.default_rng(1)
    images = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    different = 0
    for _ in range(30):
        genome = space.draw(rng).genome
        other = relabelled(genome, rng)
        different += other != genome
        torch.testing.assert_close(_outputs(genome, space.skeleton, images), _outputs(other, space.skeleton, images))
    assert different > 10


def _outputs(genome: Architecture, skeleton: Skeleton, images: torch.Tensor) -> torch.Tensor:
    network = Network(genome, skeleton).eval()
    for weight in network.parameters():
        torch.nn.init.constant_(weight, 0.05)
    out: torch.Tensor = network(images)
    return out.detach()
