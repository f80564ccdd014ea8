"""The network of an architecture, as a torch module."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from germline.programs.architecture.counts import Counts
from germline.programs.architecture.genome import Architecture
from germline.programs.architecture.layers import IMAGE, Part, layers
from germline.programs.architecture.operations import OPERATIONS, Layer, Operation
from germline.programs.architecture.skeleton import Skeleton, halved


class Network(nn.Module):
    """The layers of an architecture, run one after the other.

    Weights are drawn in the order of the layers.

    Attributes:
        layers: the layers in order; a layer's `path` is the name of its module.
    """

    def __init__(self, architecture: Architecture, skeleton: Skeleton) -> None:
        super().__init__()
        self.layers = layers(architecture, skeleton)
        *inner, head = self.layers
        self._layer_modules = [_part_module(layer.part) for layer in inner]
        for layer, module in zip(inner, self._layer_modules, strict=True):
            if module is not None:
                _register(self, layer.path, module)
        channels = head.part.in_channels
        self.last = nn.Sequential(nn.BatchNorm2d(channels), nn.ReLU()) if head.norm else nn.Identity()
        self.classifier = nn.Linear(channels, skeleton.classes)
        last_reader = {source: number for number, layer in enumerate(self.layers) for source in layer.inputs}
        self._freed: list[list[int]] = [[] for _ in self.layers]
        for number in range(len(inner)):
            self._freed[last_reader.get(number, number)].append(number)

    def forward(self, images: Tensor) -> Tensor:
        """Logits `[batch, classes]` of images `[batch, channels, height, width]`."""
        outputs = {IMAGE: images}
        for number, layer in enumerate(self.layers):
            outputs[number] = self.compute(number, [outputs[source] for source in layer.inputs])
            for freed in self._freed[number]:
                del outputs[freed]
        return outputs[len(self.layers) - 1]

    def compute(self, number: int, inputs: Sequence[Tensor]) -> Tensor:
        """The output of one layer for the outputs of the layers it takes."""
        name = self.layers[number].part.name
        if name == "add":
            return _sum(inputs)
        if name == "concat":
            return torch.cat(list(inputs), dim=1)
        out: Tensor
        if name == "head":
            out = self.classifier(self.last(inputs[0]).mean((2, 3)))
        else:
            module = self._layer_modules[number]
            assert module is not None
            out = module(inputs[0])
        return out


def _part_module(part: Part) -> nn.Module | None:
    """The module of a part; None for `add` and `concat`, which need no module."""
    match part.name:
        case "add" | "concat":
            return None
        case "stem":
            return nn.Sequential(_conv(part.in_channels, part.out_channels, 3), nn.BatchNorm2d(part.out_channels))
        case "enter":
            return _pointwise(part.in_channels, part.out_channels)
        case "halve":
            return _Halving(part.in_channels, part.out_channels)
        case "block":
            return _ResidualBlock(part.in_channels, part.out_channels)
    return operation_module(OPERATIONS[part.name], part.in_channels, part.stride)


def _register(network: nn.Module, path: str, module: nn.Module) -> None:
    """Makes a module known to torch under a path such as `cells.0.edges.3`."""
    *parents, name = path.split(".")
    parent = network
    for child in parents:
        if child not in dict(parent.named_children()):
            parent.add_module(child, nn.ModuleList() if child in ("cells", "edges") else nn.Module())
        parent = parent.get_submodule(child)
    parent.add_module(name, module)


def count_built(network: nn.Module, image: tuple[int, int, int]) -> Counts:
    """Parameters of a module, and the multiply-accumulates of its convolutions and linear layers for one image.

    The module runs once, in evaluation, on an image of zeros of shape `image` (channels, height, width).
    """
    params = sum(weight.numel() for weight in network.parameters())
    macs = 0

    def add_macs(module: nn.Module, _: Any, output: Tensor) -> None:
        nonlocal macs
        if isinstance(module, nn.Conv2d):
            macs += output[0].numel() * module.weight[0].numel()
        elif isinstance(module, nn.Linear):
            macs += module.weight.numel()

    hooks = [module.register_forward_hook(add_macs) for module in network.modules()]
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


class _ResidualBlock(nn.Module):
    """Halves the map between the stages of a network with one kind of cell."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.main = nn.Sequential(
            nn.ReLU(),
            _conv(in_channels, out_channels, 3, stride=2),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(),
            _conv(out_channels, out_channels, 3),
            nn.BatchNorm2d(out_channels),
        )
        self.beside = nn.Sequential(
            nn.AvgPool2d(2, 2, ceil_mode=True, count_include_pad=False), _conv(in_channels, out_channels, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.main(x) + self.beside(x)
        return out


class _Halving(nn.Module):
    """Factorized reduction: two 1×1 convolutions of stride 2, the second on the map shifted by a pixel."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.first = _conv(in_channels, out_channels // 2, 1, stride=2)
        self.second = _conv(in_channels, out_channels - out_channels // 2, 1, stride=2)
        self.norm = nn.BatchNorm2d(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(x)
        shifted = F.pad(x, (0, 1, 0, 1))[:, :, 1:, 1:]
        out: Tensor = self.norm(torch.cat([self.first(x), self.second(shifted)], dim=1))
        return out


class _Zero(nn.Module):
    def __init__(self, stride: int) -> None:
        super().__init__()
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[2:]
        size = (height, width) if self.stride == 1 else (halved(height), halved(width))
        return x.new_zeros(*x.shape[:2], *size)


class _Residual(nn.Sequential):
    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = super().forward(x)  # type: ignore[no-untyped-call]
        return x + out


def operation_module(operation: Operation, channels: int, stride: int) -> nn.Module:
    """The module of an operation, from `channels` to as many channels."""
    if operation.zero:
        return _Zero(stride)
    if not operation.layers:
        return nn.Identity() if stride == 1 else _Halving(channels, channels)
    layers = [_layer_module(layer, channels, stride) for layer in operation.layers]
    return (_Residual if operation.residual and stride == 1 else nn.Sequential)(*layers)


def _layer_module(layer: Layer, channels: int, stride: int) -> nn.Module:
    strides = layer.strides(stride)
    if layer.step == "conv":
        groups = channels if layer.depthwise else 1
        return nn.Conv2d(channels, channels, layer.window, strides, layer.padding, layer.dilation, groups, bias=False)
    if layer.step == "max":
        return nn.MaxPool2d(layer.window, strides, layer.padding)
    if layer.step == "avg":
        return nn.AvgPool2d(layer.window, strides, layer.padding, count_include_pad=False)
    return nn.BatchNorm2d(channels) if layer.step == "norm" else nn.ReLU()


def _conv(in_channels: int, out_channels: int, kernel: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(in_channels, out_channels, kernel, stride, kernel // 2, bias=False)


def _pointwise(in_channels: int, out_channels: int) -> nn.Module:
    return nn.Sequential(nn.ReLU(), _conv(in_channels, out_channels, 1), nn.BatchNorm2d(out_channels))


def _sum(maps: Sequence[Tensor]) -> Tensor:
    """The sum, from left to right."""
    total = maps[0]
    for other in maps[1:]:
        total = total + other
    return total
