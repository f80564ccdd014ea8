"""The network of an architecture, as a torch module."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from germline.programs.architecture.counts import STEM, Counts, Skeleton, halved
from germline.programs.architecture.genome import Architecture, Cell
from germline.programs.architecture.operations import OPERATIONS, Layer, Operation


class Network(nn.Module):
    """An architecture between a stem and a classifier.

    Args:
        architecture: the cells.
        skeleton: what surrounds them.
        auxiliary: whether a second classifier stands at two thirds of the depth, for training only; its loss counts
            0.4 in the papers (Zoph et al. 2018).
        drop_path: the largest probability with which an edge is dropped for an image, reached at the last cell.
    """

    def __init__(
        self, architecture: Architecture, skeleton: Skeleton, auxiliary: bool = False, drop_path: float = 0.0
    ) -> None:
        super().__init__()
        channels = skeleton.channels
        self.inputs = architecture.inputs
        before = last = STEM * channels if self.inputs == 2 else channels
        self.stem = nn.Sequential(_conv(skeleton.image[0], last, 3), nn.BatchNorm2d(last))
        self.cells = nn.ModuleList()
        self.auxiliary: nn.Module | None = None
        reduced = False
        for number in range(skeleton.cells):
            reduces = number in skeleton.reductions
            if reduces:
                channels *= 2
            drop = drop_path * number / max(1, skeleton.cells - 1)
            if self.inputs == 2:
                pair = _PairCell(architecture.cells[reduces], before, last, channels, reduces, reduced, drop)
                before, last = last, pair.channels
                self.cells.append(pair)
            else:
                if reduces:
                    self.cells.append(_ResidualBlock(last, channels))
                self.cells.append(_EdgeCell(architecture.cells[0], channels, drop))
                last = channels
            reduced = reduces
            if auxiliary and number == skeleton.reductions[1]:
                self.auxiliary_at = len(self.cells) - 1
                self.auxiliary = _Auxiliary(last, skeleton.classes)
        self.last = nn.Identity() if self.inputs == 2 else nn.Sequential(nn.BatchNorm2d(last), nn.ReLU())
        self.classifier = nn.Linear(last, skeleton.classes)

    def forward(self, images: Tensor) -> Any:
        """Logits `[batch, classes]` of images `[batch, channels, height, width]`.

        In training, with an auxiliary head, a pair: those of the classifier, and those of the head.
        """
        before = last = self.stem(images)
        aside = None
        for number, cell in enumerate(self.cells):
            before, last = last, cell(before, last) if self.inputs == 2 else cell(last)
            if self.auxiliary is not None and self.training and number == self.auxiliary_at:
                aside = self.auxiliary(last)
        logits = self.classifier(self.last(last).mean((2, 3)))
        return logits if aside is None else (logits, aside)


def count_built(network: nn.Module, image: tuple[int, int, int]) -> Counts:
    """The parameters of a network and its multiply-accumulates for one image, as they come up when it runs."""
    params = sum(one.numel() for name, one in network.named_parameters() if not name.startswith("auxiliary."))
    macs = 0

    def seen(module: nn.Module, _: Any, output: Tensor) -> None:
        nonlocal macs
        if isinstance(module, nn.Conv2d):
            macs += output[0].numel() * module.weight[0].numel()
        elif isinstance(module, nn.Linear):
            macs += module.weight.numel()

    hooks = [module.register_forward_hook(seen) for module in network.modules()]
    training = network.training
    try:
        with torch.no_grad():
            device = next(network.parameters()).device
            network.eval()(torch.zeros(1, *image, device=device))
    finally:
        network.train(training)
        for hook in hooks:
            hook.remove()
    return Counts(params, macs)


class _PairCell(nn.Module):
    """A cell that takes the outputs of the two cells before it."""

    def __init__(
        self, cell: Cell, before: int, last: int, channels: int, reduces: bool, reduced: bool, drop: float
    ) -> None:
        super().__init__()
        self.concat = cell.concat
        self.sources = [[source for _, source in node] for node in cell.nodes]
        self.channels = channels * len(cell.concat)
        self.drop = drop
        self.enter0 = _Halving(before, channels) if reduced else _pointwise(before, channels)
        self.enter1 = _pointwise(last, channels)
        stride = 2 if reduces else 1
        self.edges = nn.ModuleList(
            operation_module(OPERATIONS[name], channels, stride if source < 2 else 1) for name, source in cell.edges
        )

    def forward(self, before: Tensor, last: Tensor) -> Tensor:
        maps = [self.enter0(before), self.enter1(last)]
        edges = iter(self.edges)
        for sources in self.sources:
            taken = [maps[source] for source in sources]
            maps.append(_added([_through(next(edges), one, self.drop, self.training) for one in taken]))
        return torch.cat([maps[number] for number in self.concat], dim=1)


class _EdgeCell(nn.Module):
    """A cell with one input in which every node takes all before it; the last one is its output."""

    def __init__(self, cell: Cell, channels: int, drop: float) -> None:
        super().__init__()
        self.sizes = [len(node) for node in cell.nodes]
        self.drop = drop
        self.edges = nn.ModuleList(operation_module(OPERATIONS[name], channels, 1) for name, _ in cell.edges)

    def forward(self, last: Tensor) -> Tensor:
        maps = [last]
        edges = iter(self.edges)
        for size in self.sizes:
            maps.append(_added([_through(next(edges), taken, self.drop, self.training) for taken in maps[:size]]))
        return maps[-1]


class _ResidualBlock(nn.Module):
    """What halves the map between the stages of a network with one kind of cell."""

    def __init__(self, channels: int, doubled: int) -> None:
        super().__init__()
        self.main = nn.Sequential(
            nn.ReLU(),
            _conv(channels, doubled, 3, stride=2),
            nn.BatchNorm2d(doubled),
            nn.ReLU(),
            _conv(doubled, doubled, 3),
            nn.BatchNorm2d(doubled),
        )
        self.beside = nn.Sequential(
            nn.AvgPool2d(2, 2, ceil_mode=True, count_include_pad=False), _conv(channels, doubled, 1)
        )

    def forward(self, last: Tensor) -> Tensor:
        out: Tensor = self.main(last) + self.beside(last)
        return out


class _Auxiliary(nn.Module):
    """A small classifier on the map at two thirds of the depth, for training only."""

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.ReLU(), nn.AdaptiveAvgPool2d(2), _conv(channels, 128, 1), nn.BatchNorm2d(128), nn.ReLU()
        )
        self.classifier = nn.Linear(4 * 128, classes)

    def forward(self, last: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.features(last).flatten(1))
        return logits


class _Halving(nn.Module):
    """Half of the map in each direction by two 1×1 convolutions, the second one a pixel further right and down."""

    def __init__(self, channels: int, made: int) -> None:
        super().__init__()
        self.first = _conv(channels, made // 2, 1, stride=2)
        self.second = _conv(channels, made - made // 2, 1, stride=2)
        self.norm = nn.BatchNorm2d(made)

    def forward(self, taken: Tensor) -> Tensor:
        taken = F.relu(taken)
        shifted = F.pad(taken, (0, 1, 0, 1))[:, :, 1:, 1:]
        out: Tensor = self.norm(torch.cat([self.first(taken), self.second(shifted)], dim=1))
        return out


class _Zero(nn.Module):
    def __init__(self, stride: int) -> None:
        super().__init__()
        self.stride = stride

    def forward(self, taken: Tensor) -> Tensor:
        height, width = taken.shape[2:]
        size = (height, width) if self.stride == 1 else (halved(height), halved(width))
        return taken.new_zeros(*taken.shape[:2], *size)


class _Residual(nn.Sequential):
    def forward(self, taken: Tensor) -> Tensor:
        out: Tensor = super().forward(taken)  # type: ignore[no-untyped-call]
        return taken + out


def operation_module(operation: Operation, channels: int, stride: int) -> nn.Module:
    """An operation of a cell on a map of so many channels."""
    if operation.zero:
        return _Zero(stride)
    if not operation.layers:
        return nn.Identity() if stride == 1 else _Halving(channels, channels)
    layers = [_layer_module(layer, channels, stride) for layer in operation.layers]
    return (_Residual if operation.residual and stride == 1 else nn.Sequential)(*layers)


def _layer_module(layer: Layer, channels: int, stride: int) -> nn.Module:
    stride = stride if layer.strided else 1
    if layer.step == "conv":
        groups = channels if layer.depthwise else 1
        return _conv(channels, channels, layer.kernel, stride, layer.dilation, groups)
    if layer.step == "max":
        return nn.MaxPool2d(layer.kernel, stride, padding=layer.kernel // 2)
    if layer.step == "avg":
        return nn.AvgPool2d(layer.kernel, stride, padding=layer.kernel // 2, count_include_pad=False)
    return nn.BatchNorm2d(channels) if layer.step == "norm" else nn.ReLU()


def _conv(channels: int, made: int, kernel: int, stride: int = 1, dilation: int = 1, groups: int = 1) -> nn.Conv2d:
    padding = dilation * (kernel // 2)
    return nn.Conv2d(channels, made, kernel, stride, padding, dilation, groups, bias=False)


def _pointwise(channels: int, made: int) -> nn.Module:
    return nn.Sequential(nn.ReLU(), _conv(channels, made, 1), nn.BatchNorm2d(made))


def _through(edge: nn.Module, taken: Tensor, drop: float, training: bool) -> Tensor:
    """An edge's output; in training dropped for a share of the images, and as much larger for the others."""
    out: Tensor = edge(taken)
    # An identity is never dropped: without it an image might not reach the other side.
    if not training or not drop or isinstance(edge, nn.Identity):
        return out
    kept = torch.empty(len(out), 1, 1, 1, device=out.device).bernoulli_(1 - drop)
    return out * kept / (1 - drop)


def _added(maps: list[Tensor]) -> Tensor:
    total = maps[0]
    for one in maps[1:]:
        total = total + one
    return total
