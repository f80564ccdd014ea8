"""Scores that predict the quality of a network without training; a space draws the best of a pool by a score."""

from collections.abc import Callable

from germline.programs.architecture.counts import count
from germline.programs.architecture.genome import Architecture
from germline.programs.architecture.skeleton import Skeleton

PROBED_CELLS, PROBED_CHANNELS, PROBED_SIDE = 3, 16, 16
"""Size of the small network that `synflow` builds; the order of genomes hardly depends on it."""

Score = Callable[[Architecture, Skeleton], float]
"""A pure function of architecture and skeleton; larger is better."""


def size(architecture: Architecture, skeleton: Skeleton) -> float:
    """Number of parameters of the network."""
    return count(architecture, skeleton).params


def synflow(architecture: Architecture, skeleton: Skeleton) -> float:
    """Synaptic flow of the untrained network (Tanaka et al. 2020).

    The sum over parameter tensors of log(1 + Σ |weight × gradient|), with the absolute values of the initial weights
    and the gradient of the sum of outputs for an image of ones, in a small network of the cells.
    """
    # Not at the top: settings name the scores, and most commands that read settings need no torch.
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
    pairs = [(weight.detach(), weight.grad) for weight in network.parameters()]
    flows = [(weight * gradient).abs().sum() for weight, gradient in pairs if gradient is not None]
    return float(torch.stack(flows).log1p().sum())


SCORES: dict[str, Score] = {"size": size, "synflow": synflow}
