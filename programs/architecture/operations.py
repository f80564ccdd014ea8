"""The operations of cell spaces, each declared once as layers; counts and modules are derived from them.

Pools, `sep_conv`, `dil_conv` and `skip_connect` are from DARTS (Liu et al. 2018), `inv_res` is from EEEA-Net
(Termritthikun et al. 2021), and names that begin with `nor_` are from NAS-Bench-201 (Dong and Yang 2020). No space of
ours has the others: published cells of NASNet, AmoebaNet and NSGA-Net use them.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

Step = Literal["relu", "norm", "conv", "max", "avg"]
Axes = Literal["both", "columns", "rows"]


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer of an operation, on C channels.

    Args:
        step: what it computes. A convolution has no bias, and padding that keeps the size.
        kernel: side of the window of a convolution or a pool.
        depthwise: whether a convolution treats each channel on its own.
        dilation: of a convolution.
        strided: whether it has the operation's stride; otherwise its stride is 1.
        axes: along which its window extends and its stride applies: with `columns` the window is 1 × kernel (height
            × width), with `rows` kernel × 1.
    """

    step: Step
    kernel: int = 1
    depthwise: bool = False
    dilation: int = 1
    strided: bool = False
    axes: Axes = "both"

    @property
    def window(self) -> tuple[int, int]:
        """Height and width of the window."""
        return self._along_axes(self.kernel)

    @property
    def padding(self) -> tuple[int, int]:
        """Padding above and below, and padding on the left and right: they keep the size of the map at stride 1."""
        height, width = self.window
        return self.dilation * (height // 2), self.dilation * (width // 2)

    def strides(self, stride: int) -> tuple[int, int]:
        """Vertical and horizontal stride of the layer in an operation of the given stride."""
        return self._along_axes(stride if self.strided else 1)

    def _along_axes(self, size: int) -> tuple[int, int]:
        return (1 if self.axes == "columns" else size, 1 if self.axes == "rows" else size)


@dataclass(frozen=True, slots=True)
class Operation:
    """The function of an edge of a cell, from C to C channels.

    Args:
        name: its name in genomes.
        layers: applied one after the other. Without layers it is the identity at stride 1 and a factorized reduction
            at stride 2 (two 1×1 convolutions on shifted maps, C/2 channels each).
        residual: whether its input is added to its output, at stride 1.
        zero: whether its output is zero.
    """

    name: str
    layers: tuple[Layer, ...] = ()
    residual: bool = False
    zero: bool = False


class Cost(NamedTuple):
    """Cost of an operation on C channels: factors of C² (fields that end in 2) and of C (fields that end in 1).

    `params` are parameters. `in` are multiply-accumulates for each position of the map that enters, `out` for each
    position of the map that leaves, `between` for each position of a map with the rows of the first and the columns of
    the second. Multiply-accumulates are those of convolutions alone, as in the field's tables.
    """

    params2: int
    params1: int
    in2: int
    in1: int
    out2: int
    out1: int
    between2: int = 0
    between1: int = 0

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


def _factorized(kernel: int) -> tuple[Layer, ...]:
    """A convolution with a window of one row, and one with a window of one column."""
    along_rows = Layer("conv", kernel, strided=True, axes="columns")
    along_columns = Layer("conv", kernel, strided=True, axes="rows")
    return (_RELU, along_rows, along_columns, _NORM)


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
    Operation("sep_conv_7x7", _separable(7)),
    Operation("conv_1x1", _plain(1)),
    Operation("conv_3x3", _plain(3)),
    Operation("conv_3x1_1x3", _factorized(3)),
    Operation("conv_7x1_1x7", _factorized(7)),
    Operation("max_pool_5x5", (Layer("max", 5, strided=True),)),
    Operation("max_pool_7x7", (Layer("max", 7, strided=True),)),
)

OPERATIONS: dict[str, Operation] = {operation.name: operation for operation in _TABLE}


def cost(operation: Operation, stride: int) -> Cost:
    """The cost of an operation at a stride."""
    if not operation.layers:
        # The two convolutions of the factorized reduction map C channels to C, and a norm follows.
        return FREE if stride == 1 or operation.zero else Cost(1, 2, 0, 0, 1, 0)
    total, place = FREE, "out" if stride == 1 else "in"
    for layer in operation.layers:
        if layer.strided and place != "out":
            place = "between" if layer.axes == "columns" else "out"
        total = total.plus(_layer_cost(layer, place))
    return total


def _layer_cost(layer: Layer, place: str) -> Cost:
    """The cost of a layer; `place` says which map of `Cost` has the size of the layer's output."""
    if layer.step == "norm":
        return Cost(0, 2, 0, 0, 0, 0)
    if layer.step != "conv":
        return FREE
    weights = layer.window[0] * layer.window[1]
    square, linear = (0, weights) if layer.depthwise else (weights, 0)
    return FREE._replace(
        **{"params2": square, "params1": linear, f"{place}2": square, f"{place}1": linear},
    )
