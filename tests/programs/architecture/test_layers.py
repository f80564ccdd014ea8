"""The list of layers that everything about a network is derived from."""

import numpy as np
import pytest

from germline.programs.architecture.cells import SPACES
from germline.programs.architecture.layers import IMAGE, cell_shapes, layers, outside_edges
from germline.programs.architecture.operations import OPERATIONS
from germline.programs.architecture.skeleton import Skeleton
from germline.programs.architecture.space import ArchitectureSpace

SKELETON = Skeleton(channels=4, cells=5, classes=7, image=(1, 9, 14))


@pytest.mark.parametrize("name", SPACES)
def test_every_layer_takes_earlier_layers_of_its_shape(name: str) -> None:
    space = ArchitectureSpace(SPACES[name], SKELETON)
    network = layers(space.draw(np.random.default_rng(0)).genome, SKELETON)
    for number, layer in enumerate(network):
        for source in layer.inputs:
            assert IMAGE <= source < number
            channels = SKELETON.image[0] if source == IMAGE else network[source].part.out_channels
            assert layer.part.in_channels == channels
    assert (network[0].part.name, network[-1].part.name) == ("stem", "head")


@pytest.mark.parametrize("name", SPACES)
def test_layers_outside_edges_depend_on_the_shapes_of_cells_alone(name: str) -> None:
    space, rng = ArchitectureSpace(SPACES[name], SKELETON), np.random.default_rng(0)
    for _ in range(10):
        genome = space.draw(rng).genome
        parts = [(layer.part, layer.additions) for layer in outside_edges(SKELETON, cell_shapes(genome))]
        expected = [layer for layer in layers(genome, SKELETON) if layer.part.name not in OPERATIONS]
        assert parts == [(layer.part, layer.additions) for layer in expected]
