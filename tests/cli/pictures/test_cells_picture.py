"""Pictures of cells in the formats that are not drawn by hand."""

from xml.etree import ElementTree

import numpy as np
import pytest
from svg_pictures import texts

from germline.cli.pictures.cells_picture import cells_picture
from germline.cli.pictures.page import picture_bytes
from germline.programs.architecture.cell_layout import cell_drawing
from germline.programs.architecture.cells import SPACES
from germline.programs.architecture.drawing import draw
from germline.programs.architecture.space import ArchitectureSpace

GENOME = ArchitectureSpace(SPACES["eeea"], SPACES["eeea"].skeleton).draw(np.random.default_rng(3)).genome


@pytest.mark.slow
def test_matplotlib_draws_what_the_svg_shows() -> None:
    drawing = cell_drawing(GENOME)
    by_hand = ElementTree.fromstring(draw(GENOME))
    drawn = ElementTree.fromstring(picture_bytes(cells_picture(drawing), "svg"))
    assert sorted(texts(drawn)) == sorted(texts(by_hand))
    assert float(drawn.get("viewBox", "").split()[2]) == pytest.approx(0.75 * float(by_hand.get("width", "")))
    assert len(drawing.boxes) == len(list(by_hand.iter("{http://www.w3.org/2000/svg}rect"))) - 1


@pytest.mark.slow
def test_a_png_has_the_size_of_the_drawing() -> None:
    drawing = cell_drawing(GENOME)
    content = picture_bytes(cells_picture(drawing), "png")
    width, height = (int.from_bytes(content[i : i + 4], "big") for i in (16, 20))
    assert (width, height) == (int(drawing.width * 300 / 96), int(drawing.height * 300 / 96))
    assert content == picture_bytes(cells_picture(drawing), "png")
