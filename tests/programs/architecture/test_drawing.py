"""Pictures of cells: well-formed, complete, and without lines through boxes."""

from itertools import pairwise
from xml.etree import ElementTree

import numpy as np
import pytest

from germline.programs.architecture.cell_layout import Arrow, Box, CellDrawing, cell_drawing
from germline.programs.architecture.cells import SPACES
from germline.programs.architecture.drawing import draw
from germline.programs.architecture.genome import Architecture
from germline.programs.architecture.space import ArchitectureSpace
from germline.programs.drawing import FAINT

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


@pytest.mark.parametrize("name", SPACES)
def test_no_edge_runs_through_a_node(name: str) -> None:
    """Edges run along rows; a node with two edges stands between two of them."""
    for seed in range(5):
        drawing = cell_drawing(genome(name, seed))
        rows = {arrow.curves[1][2][1] for arrow in drawing.arrows if arrow.colour != FAINT or len(arrow.curves) == 3}
        nodes = [box for box in drawing.boxes if not box.end]
        for row in rows:
            crossed = [box for box in nodes if abs(box.y - row) < box.height / 2]
            assert not crossed or all(_ends_at(drawing, box, row) for box in crossed)


def _ends_at(drawing: CellDrawing, box: Box, row: float) -> bool:
    """Whether the edge on this row leads to the box, as the edge of a node that has a single edge does."""
    edges = [arrow for arrow in drawing.arrows if len(arrow.curves) == 3 and arrow.curves[1][2][1] == row]
    return all(arrow.curves[-1][2] == (box.x, box.y) for arrow in edges)


@pytest.mark.parametrize("name", SPACES)
def test_edges_leave_a_box_side_by_side_in_the_order_of_their_rows(name: str) -> None:
    for seed in range(5):
        drawing = cell_drawing(genome(name, seed))
        for box in drawing.boxes:
            right = box.x + box.width
            leaving = [arrow for arrow in drawing.arrows if arrow.start[0] == right and _beside(box, arrow)]
            starts = sorted(arrow.start[1] for arrow in leaving)
            gaps = [after - before for before, after in pairwise(starts)]
            assert all(gap >= (4 if box.end else 3) for gap in gaps), "no two are one line"
            edges = sorted((arrow for arrow in leaving if len(arrow.curves) == 3), key=lambda arrow: arrow.start[1])
            rows = [arrow.curves[1][2][1] for arrow in edges]
            assert rows == sorted(rows), "so they do not cross"


def _beside(box: Box, arrow: Arrow) -> bool:
    return abs(arrow.start[1] - box.y) <= box.height / 2


def genome(name: str, seed: int) -> Architecture:
    space = ArchitectureSpace(SPACES[name], SPACES[name].skeleton)
    return space.draw(np.random.default_rng(seed)).genome
