"""The operations of cell spaces: each one declared once, as layers, from which it is both counted and built.

The first ones are those of DARTS (Liu et al. 2018), `inv_res` is that of EEEA-Net (Termritthikun et al. 2021), those
beginning with `nor_` are NAS-Bench-201's (Dong and Yang 2020).
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

Step = Literal["relu", "norm", "conv", "max", "avg"]


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer on C channels. A convolution has no bias, its padding keeps the size, and `strided` says whether it (or
    a pool) takes the operation's stride."""

    step: Step
    kernel: int = 1
    depthwise: bool = False
    dilation: int = 1
    strided: bool = False


@dataclass(frozen=True, slots=True)
class Operation:
    """What an edge of a cell does to a map of C channels.

    `layers` follow each other. `residual` adds what came in, at stride 1. Without layers it is the identity at stride 1
    and a factorized reduction at stride 2 (two 1×1 convolutions on shifted maps, C/2 channels each); `zero` is nothing.
    """

    name: str
    layers: tuple[Layer, ...] = ()
    residual: bool = False
    zero: bool = False


class Cost(NamedTuple):
    """What something costs on C channels, as the factors of C² and C.

    Multiply-accumulates are per position: of the map that goes in (`in_`) and of the map that comes out (`out`). Only
    convolutions and the last linear layer count, as in the field's tables.
    """

    params2: int
    params1: int
    in2: int
    in1: int
    out2: int
    out1: int

    def plus(self, other: "Cost") -> "Cost":
        return Cost(*(a + b for a, b in zip(self, other, strict=True)))


FREE = Cost(0, 0, 0, 0, 0, 0)

_RELU, _NORM = Layer("relu"), Layer("norm")
_POINTWISE = Layer("conv")


def _separable(kernel: int) -> tuple[Layer, ...]:
    first = Layer("conv", kernel, depthwise=True, strided=True)
    second = Layer("conv", kernel, depthwise=True)
    return (_RELU, first, _POINTWISE, _NORM, _RELU, second, _POINTWISE, _NORM)


def _dilated(kernel: int) -> tuple[Layer, ...]:
    return (_RELU, Layer("conv", kernel, depthwise=True, dilation=2, strided=True), _POINTWISE, _NORM)


def _inverted(kernel: int) -> tuple[Layer, ...]:
    """An inverted residual of expansion 1."""
    middle = Layer("conv", kernel, depthwise=True, strided=True)
    return (_POINTWISE, _NORM, _RELU, middle, _NORM, _RELU, _POINTWISE, _NORM)


def _plain(kernel: int) -> tuple[Layer, ...]:
    return (_RELU, Layer("conv", kernel, strided=True), _NORM)


_TABLE = (
    Operation("max_pool_3x3", (Layer("max", 3, strided=True),)),
    Operation("avg_pool_3x3", (Layer("avg", 3, strided=True),)),
    Operation("sep_conv_3x3", _separable(3)),
    Operation("sep_conv_5x5", _separable(5)),
    Operation("dil_conv_3x3", _dilated(3)),
    Operation("dil_conv_5x5", _dilated(5)),
    Operation("inv_res_3x3", _inverted(3), residual=True),
    Operation("inv_res_5x5", _inverted(5), residual=True),
    Operation("skip_connect"),
    Operation("none", zero=True),
    Operation("nor_conv_1x1", _plain(1)),
    Operation("nor_conv_3x3", _plain(3)),
)

OPERATIONS: dict[str, Operation] = {operation.name: operation for operation in _TABLE}


def cost(operation: Operation, stride: int) -> Cost:
    """What an operation costs at a stride."""
    if not operation.layers:
        # The reduction's two convolutions make C channels out of C, and a norm follows.
        return FREE if stride == 1 or operation.zero else Cost(1, 2, 0, 0, 1, 0)
    total, reduced = FREE, stride == 1
    for layer in operation.layers:
        reduced = reduced or layer.strided
        total = total.plus(_layer_cost(layer, reduced))
    return total


def _layer_cost(layer: Layer, reduced: bool) -> Cost:
    if layer.step == "norm":
        return Cost(0, 2, 0, 0, 0, 0)
    if layer.step != "conv":
        return FREE
    square, linear = (0, layer.kernel**2) if layer.depthwise else (layer.kernel**2, 0)
    return Cost(square, linear, 0, 0, square, linear) if reduced else Cost(square, linear, square, linear, 0, 0)
