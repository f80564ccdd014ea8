"""Small modules in many styles, with widths and activations drawn at random, for comparisons with plain torch."""

import random
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint, checkpoint_sequential

INPUTS, CLASSES = 8, 3
Build = Callable[[int, Callable[[], nn.Module]], nn.Module]
"""A function of a width and of what makes an activation."""


class Styled(nn.Module):
    """A linear layer, something of a style, and a linear layer.

    Args:
        width: of what lies between the two layers.
        activation: makes an activation.
        build: gives the layers of the style by name.
        between: computes with the module what lies between the two layers, `[batch, width]` as its input.
    """

    def __init__(
        self,
        width: int,
        activation: Callable[[], nn.Module],
        build: Callable[[], dict[str, nn.Module]],
        between: Callable[[Any, Tensor], Tensor],
    ) -> None:
        super().__init__()
        self.first, self.activation = nn.Linear(INPUTS, width), activation()
        for name, layer in build().items():
            self.add_module(name, layer)
        self.last, self.between = nn.Linear(width, CLASSES), between

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.last(self.between(self, self.activation(self.first(x))))
        return result


def styled(build: Callable[[int], dict[str, nn.Module]], between: Callable[[Any, Tensor], Tensor]) -> Build:
    """A style of `Styled`, given its layers by width."""
    return lambda width, activation: Styled(width, activation, lambda: build(width), between)


def layers(*makers: Callable[[int], nn.Module]) -> Build:
    """A style of layers one after the other, each given the width."""

    def build(width: int, activation: Callable[[], nn.Module]) -> nn.Module:
        inner = [maker(width) for maker in makers]
        return nn.Sequential(nn.Linear(INPUTS, width), *inner, activation(), nn.Linear(width, CLASSES))

    return build


class Average(nn.Module):
    """Subtracts a moving average of what it gets, which is a buffer that `forward` replaces."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("scale", 1 + 0.1 * torch.randn(width))

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            self.mean = 0.8 * self.mean + 0.2 * x.detach().mean(0)
        return (x - self.mean) * self.scale


def _tied(width: int) -> dict[str, nn.Module]:
    a, b = nn.Linear(width, width), nn.Linear(width, width)
    b.weight = a.weight
    return {"a": a, "b": b}


def _frozen(width: int) -> nn.Module:
    return nn.Linear(width, width).requires_grad_(False)


def _dropped(module: Any, x: Tensor) -> Tensor:
    return x if module.training and random.random() < 0.5 else x + module.a(x)


def _branching(module: Any, x: Tensor) -> Tensor:
    return module.a(x) if float(x.mean()) > 0.1 else 0.5 * module.a(-x)


def _hooked(width: int) -> nn.Module:
    layer = nn.Linear(width, width)
    layer.register_full_backward_hook(lambda layer, of_inputs, of_outputs: (0.5 * of_inputs[0],))
    return layer


def _twice(module: Any, x: Tensor) -> Tensor:
    return module.a(torch.tanh(module.a(x)))


STYLES: dict[str, Build] = {
    "perceptron": layers(lambda w: nn.Linear(w, w, bias=False)),
    "batch norm": layers(nn.BatchNorm1d, lambda w: nn.BatchNorm1d(w, momentum=None)),
    "norms": layers(nn.LayerNorm, lambda w: nn.GroupNorm(2, w), nn.RMSNorm),
    "convolution": layers(
        lambda w: nn.Unflatten(1, (1, 2, w // 2)),
        lambda w: nn.Conv2d(1, 4, 3, padding=1),
        lambda w: nn.BatchNorm2d(4),
        lambda w: nn.Conv2d(4, 4, 3, padding=1, groups=2),
        lambda w: nn.Conv2d(4, 1, 1),
        lambda w: nn.Flatten(),
    ),
    "transposed": layers(
        lambda w: nn.Unflatten(1, (w, 1)), lambda w: nn.ConvTranspose1d(w, w, 1), lambda w: nn.Flatten()
    ),
    "lstm": styled(
        lambda w: {"a": nn.LSTM(2, w // 2, batch_first=True, bidirectional=True)},
        lambda m, x: m.a(x.unflatten(1, (-1, 2)))[0][:, -1],
    ),
    "gru": styled(
        lambda w: {"a": nn.GRU(2, w, num_layers=2, batch_first=True)}, lambda m, x: m.a(x.unflatten(1, (-1, 2)))[1][-1]
    ),
    "cell": styled(lambda w: {"a": nn.LSTMCell(w, w)}, lambda m, x: m.a(x, m.a(x))[0]),
    "attention": styled(
        lambda w: {"a": nn.MultiheadAttention(2, 2, batch_first=True)},
        lambda m, x: m.a(*[x.unflatten(1, (-1, 2))] * 3)[0].flatten(1),
    ),
    "transformer": styled(
        lambda w: {"a": nn.TransformerEncoderLayer(2, 1, 4, dropout=0.0, batch_first=True)},
        lambda m, x: m.a(x.unflatten(1, (-1, 2))).flatten(1),
    ),
    "weight norm": layers(lambda w: nn.utils.parametrizations.weight_norm(nn.Linear(w, w))),
    "spectral norm": layers(lambda w: nn.utils.parametrizations.spectral_norm(nn.Linear(w, w))),
    "tied": styled(_tied, lambda m, x: m.b(m.a(x))),
    "shared layer": styled(lambda w: {"a": nn.Linear(w, w)}, _twice),
    "frozen": layers(_frozen),
    "average": layers(Average),
    "bilinear": styled(lambda w: {"a": nn.Bilinear(w, w, w), "b": nn.PReLU(w)}, lambda m, x: m.b(m.a(x, x))),
    "unused": styled(lambda w: {"a": nn.Linear(w, w)}, lambda m, x: x),
    "in place": layers(lambda w: nn.Hardtanh(inplace=True), lambda w: nn.Linear(w, w), lambda w: nn.ReLU(inplace=True)),
    "branching": styled(lambda w: {"a": nn.Linear(w, w)}, _branching),
    "hooked": layers(_hooked),
    "dropout": layers(lambda w: nn.Dropout(0.3), lambda w: nn.Linear(w, w), lambda w: nn.AlphaDropout(0.1)),
    "layer drop": styled(lambda w: {"a": nn.Linear(w, w)}, _dropped),
    "checkpoint": styled(
        lambda w: {"a": nn.Sequential(nn.Linear(w, w), nn.Dropout(0.2), nn.BatchNorm1d(w))},
        lambda m, x: F.silu(checkpoint(m.a, x, use_reentrant=False)),
    ),
    "reentrant checkpoint": styled(
        lambda w: {"a": nn.Sequential(nn.Linear(w, w), nn.Tanh(), nn.BatchNorm1d(w))},
        lambda m, x: checkpoint_sequential(m.a, 2, x, use_reentrant=True),
    ),
}
"""A function that builds a module of `INPUTS` numbers and `CLASSES` classes for each style."""


def drawn(style: str, seed: int) -> Callable[[], nn.Module]:
    """A function that builds modules of a style, with a width and an activation that follow from `seed`."""
    chosen = random.Random(f"{style} {seed}")
    width, activation = chosen.choice((4, 6, 8)), chosen.choice((nn.Tanh, nn.ReLU, nn.GELU, nn.SiLU))
    return lambda: STYLES[style](width, activation)
