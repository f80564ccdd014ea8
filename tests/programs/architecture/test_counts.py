"""The closed form against networks that are built."""

import json
import os
from dataclasses import replace

import numpy as np
import pytest
import torch

from germline.programs.architecture.cells import FULL, SPACES
from germline.programs.architecture.counts import Counts, count
from germline.programs.architecture.genome import Architecture, Cell, read
from germline.programs.architecture.handmade import of_size
from germline.programs.architecture.network import Network, count_built
from germline.programs.architecture.operations import OPERATIONS
from germline.programs.architecture.skeleton import Skeleton
from germline.programs.architecture.space import ArchitectureSpace

SCALE = float(os.environ.get("GERMLINE_SCALE", "1"))
DARTS_SECOND_ORDER = """
{"normal": [["sep_conv_3x3", 0], ["sep_conv_3x3", 1], ["sep_conv_3x3", 0], ["sep_conv_3x3", 1],
            ["sep_conv_3x3", 1], ["skip_connect", 0], ["skip_connect", 0], ["dil_conv_3x3", 2]],
 "normal_concat": [2, 3, 4, 5],
 "reduce": [["max_pool_3x3", 0], ["max_pool_3x3", 1], ["skip_connect", 2], ["max_pool_3x3", 1],
            ["max_pool_3x3", 0], ["skip_connect", 2], ["skip_connect", 2], ["max_pool_3x3", 1]],
 "reduce_concat": [2, 3, 4, 5]}
"""
SKELETONS = (
    Skeleton(channels=4, cells=3, classes=10, image=(3, 16, 16)),
    Skeleton(channels=5, cells=5, classes=7, image=(1, 9, 14)),
    Skeleton(channels=2, cells=1, classes=2, image=(1, 5, 5)),
    Skeleton(channels=3, cells=8, classes=100, image=(3, 11, 13)),
)


def test_the_published_cell_of_darts_has_its_published_size() -> None:
    """3.349342 million parameters is what the authors' own program prints for it."""
    assert count(read(DARTS_SECOND_ORDER), FULL).params == 3_349_342


def test_a_cell_of_nas_bench_201_has_its_published_size() -> None:
    """`|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_1x1~2|`."""
    names = ("nor_conv_3x3", "nor_conv_3x3", "nor_conv_3x3", "skip_connect", "nor_conv_3x3", "nor_conv_1x1")
    cell = [[name, source] for name, source in zip(names, (0, 0, 1, 0, 1, 2), strict=True)]
    assert count(read(json.dumps({"cell": cell})), SPACES["nb201"].skeleton) == Counts(1_073_466, 153_272_960)


@pytest.mark.slow
@pytest.mark.parametrize("name", SPACES)
def test_the_closed_form_equals_the_built_network(name: str) -> None:
    rng = np.random.default_rng(1)
    for number in range(int(16 * SCALE)):
        skeleton = SKELETONS[number % len(SKELETONS)]
        genome = ArchitectureSpace(SPACES[name], skeleton).draw(rng).genome
        with torch.device("meta"):
            built = Network(genome, skeleton)
        assert count_built(built, skeleton.image) == count(genome, skeleton)


@pytest.mark.slow
@pytest.mark.parametrize("operation", OPERATIONS)
def test_the_closed_form_of_an_operation_equals_the_built_network(operation: str) -> None:
    edges = ((operation, 0), (operation, 1)), ((operation, 2), (operation, 0))
    genome = Architecture((Cell(edges, (3,)),) * 2)
    for skeleton in SKELETONS:
        with torch.device("meta"):
            built = Network(genome, skeleton)
        assert count_built(built, skeleton.image) == count(genome, skeleton)


@pytest.mark.slow
def test_the_smallest_network_of_a_space_is_the_smallest() -> None:
    rng = np.random.default_rng(2)
    for cells in SPACES.values():
        least = count(cells.smallest(), cells.skeleton)
        space = ArchitectureSpace(cells, cells.skeleton)
        assert space.check(space.fallback) is None
        for _ in range(200):
            drawn = count(space.draw(rng).genome, cells.skeleton)
            assert drawn.params >= least.params and drawn.macs >= least.macs


@pytest.mark.slow
@pytest.mark.parametrize("inputs", [1, 2])
def test_the_hand_made_network_of_a_size_is_the_nearest(inputs: int) -> None:
    for params in (1, 5_000, 77_777):
        architecture, nearest = of_size(params, inputs, SKELETONS[0])
        sizes = [count(architecture, replace(SKELETONS[0], channels=channels)).params for channels in range(1, 200)]
        distance = abs(count(architecture, nearest).params - params)
        assert distance == min(abs(size - params) for size in sizes)
