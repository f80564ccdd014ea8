"""What can be known of a network without training it: a guess at how good it will be, for picking where to begin."""

from collections.abc import Callable

from germline.programs.architecture.counts import count
from germline.programs.architecture.genome import Architecture
from germline.programs.architecture.skeleton import Skeleton

PROBED_CELLS, PROBED_CHANNELS, PROBED_SIDE = 3, 16, 16
"""The network that is looked at has the cells, and is otherwise small: the order of genomes hardly depends on it."""

Score = Callable[[Architecture, Skeleton], float]
"""Larger is better. A pure function of the architecture and of what surrounds its cells."""


def size(architecture: Architecture, skeleton: Skeleton) -> float:
    """The parameters of the network."""
    return count(architecture, skeleton).params


def synflow(architecture: Architecture, skeleton: Skeleton) -> float:
    """How much of a signal passes through the weights of a network that was not trained (Tanaka et al. 2020).

    With all weights made positive, the sum over layers of the logarithm of Σ |weight × gradient|, where the gradient is
    that of the sum of outputs for an image of ones.
    """
    # Settings name the scores, and most commands that read settings need no torch.
    import torch
    from torch import nn

    from germline.programs.architecture.network import Network

    colours, height, width = skeleton.image
    image = (colours, min(height, PROBED_SIDE), min(width, PROBED_SIDE))
    probed = Skeleton(PROBED_CHANNELS, PROBED_CELLS, skeleton.classes, image)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = Network(architecture, probed).double()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()
    with torch.no_grad():
        for weight in network.parameters():
            weight.abs_()
    with torch.enable_grad():
        network(torch.ones(1, *image, dtype=torch.float64)).sum().backward()
    flows = [(one.detach() * one.grad).abs().sum() for one in network.parameters() if one.grad is not None]
    return float(torch.stack(flows).log1p().sum())


SCORES: dict[str, Score] = {"size": size, "synflow": synflow}
