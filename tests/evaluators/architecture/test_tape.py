"""Tapes: their instructions, their weights and their window tables."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from germline.evaluators.architecture.networks.compiled.gradient_memory import gradient_memory
from germline.evaluators.architecture.networks.tape import LayerKind, Window, square, table, tape
from germline.programs.architecture.cells import SPACES
from germline.programs.architecture.counts import count
from germline.programs.architecture.genome import Architecture, Cell
from germline.programs.architecture.skeleton import Skeleton
from germline.programs.architecture.space import ArchitectureSpace

WINDOWS = [
    Window((kernel, kernel), (stride, stride), dilation, (dilation * (kernel // 2),) * 2)
    for kernel in (1, 3, 5, 7)
    for stride in (1, 2)
    for dilation in (1, 2)
]
WINDOWS += [Window((1, 7), (1, 2), 1, (0, 3)), Window((7, 1), (2, 1), 1, (3, 0)), Window((3, 1), (1, 1), 1, (1, 0))]


@pytest.mark.parametrize("window", [*WINDOWS, square(2, 2), square(1, 2, -1)])
@pytest.mark.parametrize("size", [(1, 1), (2, 2), (3, 5), (8, 8), (9, 4)])
def test_a_table_lists_the_pixels_of_a_window(size: tuple[int, int], window: Window) -> None:
    """A convolution by the table, forward and back, is torch's."""
    height, width = size
    generator = torch.Generator().manual_seed(1)
    image = torch.rand(1, 1, height, width, generator=generator, dtype=torch.float64, requires_grad=True)
    weight = torch.rand(1, 1, *window.kernel, generator=generator, dtype=torch.float64)
    rows, columns = -(-height // window.stride[0]), -(-width // window.stride[1])
    assert (rows, columns) == window.output(height, width)
    down, right = (window.kernel[axis] * window.dilation * window.stride[axis] for axis in (0, 1))
    padding = (window.padding[1], right, window.padding[0], down)
    wide = F.conv2d(F.pad(image, padding), weight, stride=window.stride, dilation=window.dilation)
    expected = wide[0, 0, :rows, :columns]
    upper = torch.rand(rows, columns, generator=generator, dtype=torch.float64)
    (lower,) = torch.autograd.grad((expected * upper).sum(), image)
    result = table(height, width, window)
    taps = weight.flatten().numpy()
    np.testing.assert_allclose(
        convolved(result.forward, image.detach().flatten().numpy(), taps), expected.detach().flatten()
    )
    np.testing.assert_allclose(convolved(result.backward, upper.flatten().numpy(), taps), lower.flatten())


def convolved(table: np.ndarray, pixels: np.ndarray, taps: np.ndarray) -> list[float]:
    """A convolution that reads its pixels from a table."""
    out, at = [], 1
    for _ in range(table[0]):
        assert table[at] == len(out)
        pairs = table[at + 3 : at + 3 + 2 * table[at + 2]].reshape(-1, 2)
        out += [sum(taps[tap] * pixels[pixel + step] for tap, pixel in pairs) for step in range(table[at + 1])]
        at += 3 + 2 * table[at + 2]
    return out


@pytest.mark.parametrize("name", SPACES)
def test_a_tape_has_the_counted_weights_except_unused_ones(name: str) -> None:
    skeleton = Skeleton(8, 4, 10, (3, 9, 9))
    space = ArchitectureSpace(SPACES[name], skeleton)
    rng = np.random.default_rng(0)
    architectures = [space.draw(rng).genome for _ in range(20)]
    sizes = [
        (sum(slot.size for slot in tape(genome, skeleton).weights), count(genome, skeleton).params)
        for genome in architectures
    ]
    assert all(weights <= counted for weights, counted in sizes)
    assert any(weights == counted for weights, counted in sizes)


def test_layers_that_do_not_reach_the_loss_are_not_on_the_tape() -> None:
    """An unused input, an unused node, and everything before a cell of zeros."""
    nodes = ((("sep_conv_3x3", 1), ("skip_connect", 1)), (("sep_conv_5x5", 1), ("sep_conv_5x5", 2)))
    written = tape(Architecture((Cell(nodes, (2,)),) * 2), Skeleton(4, 1, 10, (1, 8, 8)))
    names = {slot.name for slot in written.weights}
    assert not any("enter0" in name or "edges.2" in name or "edges.3" in name for name in names)
    assert any("enter1" in name for name in names) and any("edges.0" in name for name in names)
    zeros = Architecture((Cell(((("none", 0),),), (1,)),))
    written = tape(zeros, Skeleton(4, 2, 10, (1, 8, 8)))
    assert [instruction.kind for instruction in written.instructions] == [LayerKind.ZERO, LayerKind.NORM]


@pytest.mark.parametrize("name", SPACES)
def test_gradients_that_are_needed_at_a_time_do_not_overlap(name: str) -> None:
    skeleton = Skeleton(8, 3, 10, (1, 8, 8))
    written = tape(ArchitectureSpace(SPACES[name], skeleton).draw(np.random.default_rng(1)).genome, skeleton)
    memory = gradient_memory(written)
    assert memory.size < written.size
    # An instruction reads the gradient of its target while it writes that of its source.
    for instruction in written.instructions:
        if instruction.kind is not LayerKind.ZERO and instruction.source is not written.image:
            source, target = memory.places[instruction.source.place], memory.places[instruction.target.place]
            assert source + instruction.source.size <= target or target + instruction.target.size <= source
