"""Pictures of cells: well-formed, complete, and without lines through boxes."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest

from germline.programs.architecture.cells import SPACES
from germline.programs.architecture.drawing import NODE_HEIGHT, ROW, draw
from germline.programs.architecture.space import ArchitectureSpace

SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize("name", SPACES)
def test_every_node_and_every_operation_is_in_the_picture(name: str) -> None:
    space = ArchitectureSpace(SPACES[name], SPACES[name].skeleton)
    for seed in range(5):
        genome = space.draw(np.random.default_rng(seed)).genome
        texts = [node.text for node in ElementTree.fromstring(draw(genome)).iter(f"{SVG}text")]
        for operation in space.cells.operations:
            wanted = sum(edge[0] == operation for cell in genome.cells for edge in cell.edges)
            assert texts.count(operation) == wanted
        for number in range(genome.inputs, genome.inputs + space.cells.nodes):
            assert texts.count(str(number)) == len(genome.cells)


def test_no_edge_runs_through_a_node() -> None:
    """Edges run along rows; a node with two edges stands between two of them."""
    picture = draw(ArchitectureSpace(SPACES["eeea"], SPACES["eeea"].skeleton).draw(np.random.default_rng(3)).genome)
    for panel in picture.split("<g transform=")[2::2]:
        rows = {float(row) for row in re.findall(r"L[\d.]+ ([\d.]+)C", panel)}
        boxes = [
            float(y)
            for y, fill in re.findall(r'<rect x="[\d.]+" y="([\d.]+)".*?fill="(#\w+)"', panel)
            if fill == "#ffffff"
        ]
        lanes = {row for row in rows if (row - ROW / 2) % ROW == 0}
        assert boxes and lanes
        assert not any(top < lane < top + NODE_HEIGHT for top in boxes for lane in lanes)
