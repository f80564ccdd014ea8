"""Hand-made networks: the baselines that an architecture of a search has to beat."""

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
"""The cell of NAS-Bench-201 that makes a residual network."""

WIDEST = 1_000
"""The largest number of channels that is tried."""


def of_size(params: int, inputs: int, skeleton: Skeleton) -> tuple[Architecture, Skeleton]:
    """The hand-made network whose number of parameters is nearest to `params`, and its skeleton.

    Args:
        params: the number of parameters to approximate; the number of channels is chosen for it.
        inputs: 2 for a network of normal and reduction cells, 1 for a network of a single cell.
        skeleton: the skeleton of the network to compare with; all but its channels is kept.
    """
    architecture = SEPARABLE if inputs == 2 else RESIDUAL
    below = replace(skeleton, channels=1)
    for channels in range(1, WIDEST + 1):
        wider = replace(skeleton, channels=channels)
        if count(architecture, wider).params >= params:
            nearest = min(below, wider, key=lambda sized: abs(count(architecture, sized).params - params))
            return architecture, nearest
        below = wider
    return architecture, below
