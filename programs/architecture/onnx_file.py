"""Export of an architecture as an ONNX file: its network in evaluation mode, with initial weights.

The graph is written layer by layer, and its tensors have the names that torch gives them.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from germline.programs.architecture.counts import count
from germline.programs.architecture.export import size_facts
from germline.programs.architecture.genome import Architecture
from germline.programs.architecture.layers import IMAGE, NetworkLayer, layers
from germline.programs.architecture.network import Network
from germline.programs.architecture.operations import OPERATIONS, Layer, Operation
from germline.programs.architecture.skeleton import Skeleton
from germline.programs.export.onnx_graph import (
    OnnxGraph,
    check_model,
    onnx_model,
    onnx_packages,
    open_session,
    value_info,
)
from germline.programs.export.origin import Origin
from germline.programs.export.verified import (
    ExportMismatch,
    VerifiedExport,
    check_difference,
    check_equal,
    difference_to_largest,
)

TOLERANCE = 1e-4
"""The largest difference of logits allowed, relative to the largest logit."""
WEIGHTS = "initial, not trained"
"""What the file states about its weights: a database holds architectures but no trained weights."""

_MOST_PARAMETERS = 500_000_000
_SEED = 0
_BATCHES = (1, 5)


class TooLarge(ValueError):
    """A network that one ONNX file cannot hold; the message names the limit."""


def verified_onnx(architecture: Architecture, skeleton: Skeleton, origin: Origin) -> VerifiedExport[bytes]:
    """The ONNX file of an architecture, with which ONNX Runtime has computed the same logits as torch.

    Its input is `images` `[batch, channels, height, width]`, its output `logits` `[batch, classes]`, both float32; the
    batch is of any size.

    Raises:
        OnnxMissing: the packages `onnx` and `onnxruntime` are not installed.
        TooLarge: the network has more parameters than a file can hold.
        ExportMismatch: the file is not valid ONNX, or differs from the network in size or logits; or the network's own
            logits are not finite with untrained weights, as in a very deep network that only adds.
    """
    onnx_packages()
    counts = count(architecture, skeleton)
    if counts.params > _MOST_PARAMETERS:
        raise TooLarge(
            f"expected at most {_MOST_PARAMETERS:,} parameters in an ONNX file, got {counts.params:,}; "
            f"choose fewer --channels or --cells, or --to torch"
        )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(_SEED)
        network = Network(architecture, skeleton).eval()
        model = _model(architecture, skeleton, origin, network.state_dict())
        check_model(model)
        check_equal("the parameters", _parameters(model), counts.params)
        content: bytes = model.SerializeToString()
        difference = _difference(content, network, skeleton)
        # With initial weights the signal fades from cell to cell, and the logits hardly depend on the layers between:
        # the same graph is compared once more with weights that preserve the signal.
        _preserve_signal(network, skeleton)
        second = _model(architecture, skeleton, origin, network.state_dict()).SerializeToString()
        difference = max(difference, _difference(second, network, skeleton))
    return VerifiedExport(content, None, difference, TOLERANCE, size_facts(counts))


# Verification


def _parameters(model: Any) -> int:
    """Number of parameters in the tensors of a model; its other tensors are statistics and constants."""
    parameters = [tensor for tensor in model.graph.initializer if tensor.name.endswith((".weight", ".bias"))]
    return sum(math.prod(tensor.dims) for tensor in parameters)


def _difference(content: bytes, network: nn.Module, skeleton: Skeleton) -> float:
    """The largest relative difference between the logits of a file and of the network, over several batch sizes.

    Raises:
        ExportMismatch: the difference is above the tolerance, the shapes differ, or the network's logits are not
            finite.
    """
    session = open_session(content)
    largest = 0.0
    for batch in _BATCHES:
        images = torch.randn(batch, *skeleton.image)
        with torch.no_grad():
            expected = network(images)
        if not expected.isfinite().all():
            raise ExportMismatch(
                "expected finite logits of the network to compare with, got infinity or NaN; choose fewer --cells"
            )
        logits = torch.from_numpy(session.run(["logits"], {"images": images.numpy()})[0])
        check_equal("the shape of the logits", tuple(logits.shape), tuple(expected.shape))
        difference = difference_to_largest(logits, expected)
        check_difference("logits", difference, TOLERANCE)
        largest = max(largest, difference)
    return largest


def _preserve_signal(network: nn.Module, skeleton: Skeleton) -> None:
    """Gives norms random scales, large biases and the statistics of random images.

    Then most values stay positive and no variance is tiny. Otherwise a deep network multiplies the rounding errors of
    the two runtimes a thousandfold, and the comparison would measure rounding.
    """
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = None  # cumulative mean over batches, here of a single batch
        nn.init.uniform_(norm.weight, 0.5, 1.0)
        nn.init.uniform_(norm.bias, 0.5, 1.5)
    with torch.no_grad():
        network.train()(torch.randn(8, *skeleton.image))
        for norm in norms:
            assert norm.running_var is not None
            norm.running_var.clamp_(min=0.01)
    network.eval()


# The graph


def _model(architecture: Architecture, skeleton: Skeleton, origin: Origin, weights: Mapping[str, Tensor]) -> Any:
    """The ONNX model of an architecture; `weights` are the state of its torch module, in order."""
    graph = _Graph(weights)
    graph.node("Identity", _logits(graph, layers(architecture, skeleton)), output="logits")
    size = [f"{name.capitalize()}: {number}" for name, number in size_facts(count(architecture, skeleton)).items()]
    return onnx_model(
        graph,
        "network",
        inputs=[value_info("images", np.float32, ["batch", *skeleton.image])],
        outputs=[value_info("logits", np.float32, ["batch", skeleton.classes])],
        summary=["The network of an architecture that Germline found.", f"Its weights are {WEIGHTS}."],
        facts=[*origin.lines(), *size, f"Weights: {WEIGHTS}"],
    )


class _Graph(OnnxGraph):
    """A graph to which layers are appended in the order in which the network runs.

    Torch lists the weights of `Network` in the same order, so each layer takes the next tensors.
    """

    def __init__(self, weights: Mapping[str, Tensor]) -> None:
        super().__init__()
        self._weights = iter([item for item in weights.items() if not item[0].endswith("num_batches_tracked")])
        self._constants: dict[tuple[int, ...], str] = {}

    def weight(self) -> tuple[str, tuple[int, ...]]:
        """Appends the next tensor of the network. Returns its name and shape."""
        name, value = next(self._weights)
        return self.tensor(value.numpy(), name), tuple(value.shape)

    def constant(self, *numbers: int) -> str:
        """The name of a tensor of integers, which is appended at its first use."""
        from onnx import TensorProto, helper  # here, since onnx is optional

        if numbers not in self._constants:
            name = self._constants[numbers] = "ints_" + "_".join(map(str, numbers))
            self.tensors.append(helper.make_tensor(name, TensorProto.INT64, [len(numbers)], numbers))
        return self._constants[numbers]

    def conv(self, x: str, strides: tuple[int, int] = (1, 1), dilation: int = 1, depthwise: bool = False) -> str:
        """Appends a convolution with the next weights, whose shape decides kernel and padding."""
        name, (channels, _, *kernel) = self.weight()
        return self.node(
            "Conv",
            x,
            name,
            kernel_shape=kernel,
            pads=[dilation * (size // 2) for size in kernel] * 2,
            strides=list(strides),
            dilations=[dilation] * 2,
            group=channels if depthwise else 1,
        )

    def norm(self, x: str) -> str:
        scale, bias, mean, variance = (self.weight()[0] for _ in range(4))
        return self.node("BatchNormalization", x, scale, bias, mean, variance, epsilon=1e-5)

    def added(self, maps: Sequence[str]) -> str:
        total, *others = maps
        for term in others:
            total = self.node("Add", total, term)
        return total


def _logits(graph: _Graph, network: Sequence[NetworkLayer]) -> str:
    """Appends the nodes of all layers. Returns the name of the last output."""
    outputs = {IMAGE: "images"}
    for number, layer in enumerate(network):
        outputs[number] = _network_layer(graph, layer, [outputs[source] for source in layer.inputs])
    return outputs[len(network) - 1]


def _network_layer(graph: _Graph, layer: NetworkLayer, inputs: Sequence[str]) -> str:
    source = inputs[0]
    match layer.part.name:
        case "stem":
            return _stem(graph)
        case "enter":
            return _pointwise(graph, source)
        case "halve":
            return _halving(graph, source)
        case "block":
            return _residual_block(graph, source)
        case "add":
            return graph.added(inputs)
        case "concat":
            return graph.node("Concat", *inputs, axis=1)
        case "head":
            return _head(graph, graph.relu(graph.norm(source)) if layer.norm else source)
    return _operation(graph, OPERATIONS[layer.part.name], source, layer.part.stride)


def _stem(graph: _Graph) -> str:
    return graph.norm(graph.conv("images"))


def _head(graph: _Graph, last: str) -> str:
    features = graph.node("Flatten", graph.node("GlobalAveragePool", last), axis=1)
    weight, bias = graph.weight()[0], graph.weight()[0]
    return graph.node("Gemm", features, weight, bias, transB=1)


def _residual_block(graph: _Graph, last: str) -> str:
    main = graph.norm(graph.conv(graph.relu(last), (2, 2)))
    main = graph.norm(graph.conv(graph.relu(main)))
    pooled = graph.node("AveragePool", last, kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1, count_include_pad=0)
    return graph.added([main, graph.conv(pooled)])


def _pointwise(graph: _Graph, x: str) -> str:
    return graph.norm(graph.conv(graph.relu(x)))


def _halving(graph: _Graph, x: str) -> str:
    """Appends a factorized reduction: two 1×1 convolutions of stride 2, the second on the map shifted by a pixel."""
    x = graph.relu(x)
    padded = graph.node("Pad", x, graph.constant(0, 0, 0, 0, 0, 0, 1, 1))
    shifted = _sliced(graph, padded, (1, 1), (1, 1))
    return graph.norm(graph.node("Concat", graph.conv(x, (2, 2)), graph.conv(shifted, (2, 2)), axis=1))


def _sliced(graph: _Graph, x: str, starts: tuple[int, int], steps: tuple[int, int]) -> str:
    """Appends a slice of maps: every `steps[0]`-th row from row `starts[0]`, and columns in the same way."""
    ends = graph.constant(2**31 - 1, 2**31 - 1)
    return graph.node("Slice", x, graph.constant(*starts), ends, graph.constant(2, 3), graph.constant(*steps))


def _operation(graph: _Graph, operation: Operation, x: str, stride: int) -> str:
    if operation.zero:
        strided = x if stride == 1 else _sliced(graph, x, (0, 0), (stride, stride))
        return graph.node("ConstantOfShape", graph.node("Shape", strided))  # its default value is zero
    if not operation.layers:
        return x if stride == 1 else _halving(graph, x)
    out = x
    for layer in operation.layers:
        out = _layer(graph, layer, out, stride)
    return graph.added([x, out]) if operation.residual and stride == 1 else out


def _layer(graph: _Graph, layer: Layer, x: str, stride: int) -> str:
    if layer.step == "relu":
        return graph.relu(x)
    if layer.step == "norm":
        return graph.norm(x)
    if layer.step == "conv":
        return graph.conv(x, layer.strides(stride), layer.dilation, layer.depthwise)
    window: dict[str, Any] = {
        "kernel_shape": list(layer.window),
        "strides": list(layer.strides(stride)),
        "pads": list(layer.padding) * 2,
    }
    if layer.step == "max":
        return graph.node("MaxPool", x, **window)
    return graph.node("AveragePool", x, **window, count_include_pad=0)
