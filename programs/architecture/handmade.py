"""Networks that people would use in the place of a found one: what it has to beat."""

from dataclasses import replace

from germline.programs.architecture.counts import count
from germline.programs.architecture.genome import Architecture, read
from germline.programs.architecture.skeleton import Skeleton

SEPARABLE = read(
    '{"normal": [["sep_conv_3x3", 1], ["skip_connect", 1]], "normal_concat": [2],'
    ' "reduce": [["sep_conv_3x3", 1], ["skip_connect", 1]], "reduce_concat": [2]}'
)
"""A residual network of separable convolutions, as Xception and MobileNet are built."""

RESIDUAL = read(
    '{"cell": [["nor_conv_3x3", 0], ["none", 0], ["nor_conv_3x3", 1], ["skip_connect", 0], ["none", 1], ["none", 2]]}'
)
"""The cell of NAS-Bench-201 that is a residual network's."""

WIDEST = 1_000


def of_size(params: int, inputs: int, skeleton: Skeleton) -> tuple[Architecture, Skeleton]:
    """The hand-made network whose number of parameters is nearest to `params`, by its channels.

    Args:
        params: how many there should be.
        inputs: 2 for a network of normal and reduction cells, 1 for one of a single cell.
        skeleton: of the network in whose place it stands.
    """
    architecture = SEPARABLE if inputs == 2 else RESIDUAL
    sized = (replace(skeleton, channels=channels) for channels in range(1, WIDEST + 1))
    nearest = min(sized, key=lambda one: abs(count(architecture, one).params - params))
    return architecture, nearest
