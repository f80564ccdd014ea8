"""Export of an architecture as an ONNX file: its network in evaluation mode, with initial weights, verified by running.

The graph is written layer by layer and without a tracer. This needs only the package `onnx`, adds no superfluous nodes,
and keeps the names that tensors have in torch.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from germline.programs.architecture.counts import Counts, count
from germline.programs.architecture.export import ExportMismatch
from germline.programs.architecture.genome import Architecture
from germline.programs.architecture.layers import IMAGE, NetworkLayer, layers
from germline.programs.architecture.network import Network
from germline.programs.architecture.operations import OPERATIONS, Layer, Operation
from germline.programs.architecture.skeleton import Skeleton
from germline.programs.export.origin import Origin

TOLERANCE = 1e-4
"""Largest difference of logits, relative to the largest logit, at which an exported file is accepted."""
WEIGHTS = "initial, not trained"
"""How the file describes its weights. A database holds architectures, but no trained weights."""

_OPSET, _IR_VERSION = 17, 8
"""Versions of 2022, so that runtimes of several years read the file; nothing in it needs later ones."""
_MOST_PARAMETERS = 500_000_000
_SEED = 0
_BATCHES = (1, 5)


class OnnxMissing(ValueError):
    """The packages `onnx` and `onnxruntime` are not installed; the message says how to install them."""


class TooLarge(ValueError):
    """A network with more parameters than an ONNX file can hold; the message names the limit."""


@dataclass(frozen=True)
class VerifiedFile:
    """A verified ONNX file.

    Args:
        content: the bytes of the file.
        difference: largest difference from the logits of the torch module, relative to the largest logit.
        counts: of the network.
    """

    content: bytes
    difference: float
    counts: Counts


def verified_onnx(architecture: Architecture, skeleton: Skeleton, origin: Origin) -> VerifiedFile:
    """The ONNX file of an architecture, verified by running it in `onnxruntime` beside the torch module.

    Its input is `images` `[batch, channels, height, width]`, its output `logits` `[batch, classes]`, both float32; the
    batch can have any size.

    Raises:
        OnnxMissing: the packages `onnx` and `onnxruntime` are not installed.
        TooLarge: the network has more parameters than a file can hold.
        ExportMismatch: the file is invalid, or differs in size or logits from the torch module; or logits are not
            finite with untrained weights, as in a very deep network of additions only.
    """
    onnx, _ = _packages()
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
        _check(onnx, model, counts)
        content: bytes = model.SerializeToString()
        difference = _difference(content, network, skeleton)
        # With initial weights the signal fades from cell to cell, and the logits hardly depend on the layers between:
        # the same graph is compared once more with weights that preserve the signal.
        _preserve_signal(network, skeleton)
        second = _model(architecture, skeleton, origin, network.state_dict()).SerializeToString()
        difference = max(difference, _difference(second, network, skeleton))
    return VerifiedFile(content, difference, counts)


def _packages() -> tuple[Any, Any]:
    try:
        import onnx
        import onnxruntime
    except ImportError:
        raise OnnxMissing(
            "expected the packages onnx and onnxruntime, without which no ONNX file is made; "
            "pip install 'germline[onnx]'"
        ) from None
    return onnx, onnxruntime


# Verification


def _check(onnx: ModuleType, model: Any, counts: Counts) -> None:
    """Raises ExportMismatch for a model that is not valid ONNX or has another number of parameters."""
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise ExportMismatch(f"expected a valid ONNX model, got {str(error).strip():.200}") from None
    params = sum(
        math.prod(tensor.dims)
        for tensor in model.graph.initializer
        if tensor.name.endswith((".weight", ".bias"))  # other tensors are statistics and constants
    )
    if params != counts.params:
        raise ExportMismatch(f"expected {counts.params:,} parameters of the exported network, got {params:,}")


def _difference(content: bytes, network: nn.Module, skeleton: Skeleton) -> float:
    """Largest difference between logits of a file and of the network, relative to the largest logit."""
    _, onnxruntime = _packages()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    worst = 0.0
    for batch in _BATCHES:
        images = torch.randn(batch, *skeleton.image)
        with torch.no_grad():
            ours = network(images)
        if not ours.isfinite().all():
            raise ExportMismatch(
                "expected finite logits of the network to compare with, got others; choose fewer --cells"
            )
        theirs = torch.from_numpy(session.run(["logits"], {"images": images.numpy()})[0])
        if theirs.shape != ours.shape:
            raise ExportMismatch(f"expected logits of shape {tuple(ours.shape)}, got {tuple(theirs.shape)}")
        difference = float((ours - theirs).abs().max() / ours.abs().max().clamp(min=1e-12))
        if not difference <= TOLERANCE:
            raise ExportMismatch(f"expected the same logits to {TOLERANCE:g}, got a difference of {difference:.3g}")
        worst = max(worst, difference)
    return worst


def _preserve_signal(network: nn.Module, skeleton: Skeleton) -> None:
    """Gives norms random scales, large biases and the statistics of random images.

    Then most values stay positive and no variance is tiny. Otherwise a deep network multiplies the rounding errors of
    the two runtimes a thousandfold, and the comparison would measure those.
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
    from onnx import TensorProto, helper

    graph = _Graph(weights)
    graph.node("Identity", _logits(graph, layers(architecture, skeleton)), output="logits")
    facts = [*origin.lines(), *_size_lines(count(architecture, skeleton)), f"Weights: {WEIGHTS}"]
    images = helper.make_tensor_value_info("images", TensorProto.FLOAT, ["batch", *skeleton.image])
    classes = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", skeleton.classes])
    model = helper.make_model(
        helper.make_graph(graph.nodes, "network", [images], [classes], graph.tensors),
        opset_imports=[helper.make_opsetid("", _OPSET)],
        ir_version=_IR_VERSION,
        producer_name="germline",
        doc_string="\n".join(
            ["The network of an architecture that Germline found.", f"Its weights are {WEIGHTS}.", "", *facts]
        ),
    )
    helper.set_model_props(model, {name.lower(): value for name, _, value in (fact.partition(": ") for fact in facts)})
    return model


def _size_lines(counts: Counts) -> tuple[str, str]:
    return f"Parameters: {counts.params}", f"Multiply-accumulates: {counts.macs}"


class _Graph:
    """Nodes and tensors of a graph, appended in the order in which the network runs.

    Torch lists the weights of `Network` in the same order, so each layer takes the next ones.
    """

    def __init__(self, weights: Mapping[str, Tensor]) -> None:
        self.nodes: list[Any] = []
        self.tensors: list[Any] = []
        self._weights = iter([item for item in weights.items() if not item[0].endswith("num_batches_tracked")])
        self._constants: dict[tuple[int, ...], str] = {}

    def node(self, operator: str, *inputs: str, output: str | None = None, **attributes: Any) -> str:
        """Appends a node. Returns the name of its output."""
        from onnx import helper

        name = f"{operator}_{len(self.nodes)}"
        output = output or f"{name}_out"
        self.nodes.append(helper.make_node(operator, inputs, [output], name, **attributes))
        return output

    def weight(self) -> tuple[str, tuple[int, ...]]:
        """Appends the next tensor of the network. Returns its name and shape."""
        from onnx import numpy_helper

        name, value = next(self._weights)
        self.tensors.append(numpy_helper.from_array(value.numpy(), name))
        return name, tuple(value.shape)

    def constant(self, *numbers: int) -> str:
        """The name of a tensor of integers, which is appended at its first use."""
        from onnx import TensorProto, helper

        if numbers not in self._constants:
            name = self._constants[numbers] = "ints_" + "_".join(map(str, numbers))
            self.tensors.append(helper.make_tensor(name, TensorProto.INT64, [len(numbers)], numbers))
        return self._constants[numbers]

    def conv(self, x: str, stride: int = 1, dilation: int = 1, depthwise: bool = False) -> str:
        """Appends a convolution with the next weights, whose shape decides kernel and padding."""
        name, (channels, _, *kernel) = self.weight()
        return self.node(
            "Conv",
            x,
            name,
            kernel_shape=kernel,
            pads=[dilation * (size // 2) for size in kernel] * 2,
            strides=[stride] * 2,
            dilations=[dilation] * 2,
            group=channels if depthwise else 1,
        )

    def norm(self, x: str) -> str:
        scale, bias, mean, variance = (self.weight()[0] for _ in range(4))
        return self.node("BatchNormalization", x, scale, bias, mean, variance, epsilon=1e-5)

    def relu(self, x: str) -> str:
        return self.node("Relu", x)

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
    main = graph.norm(graph.conv(graph.relu(last), stride=2))
    main = graph.norm(graph.conv(graph.relu(main)))
    pooled = graph.node("AveragePool", last, kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1, count_include_pad=0)
    return graph.added([main, graph.conv(pooled)])


def _pointwise(graph: _Graph, x: str) -> str:
    return graph.norm(graph.conv(graph.relu(x)))


def _halving(graph: _Graph, x: str) -> str:
    """Two 1×1 convolutions of stride 2, the second on the map shifted by a pixel."""
    x = graph.relu(x)
    padded = graph.node("Pad", x, graph.constant(0, 0, 0, 0, 0, 0, 1, 1))
    shifted = _sliced(graph, padded, (1, 1), (1, 1))
    return graph.norm(graph.node("Concat", graph.conv(x, stride=2), graph.conv(shifted, stride=2), axis=1))


def _sliced(graph: _Graph, x: str, starts: tuple[int, int], steps: tuple[int, int]) -> str:
    """Every `steps`-th row and column, from `starts` to the end."""
    ends = graph.constant(2**31 - 1, 2**31 - 1)
    return graph.node("Slice", x, graph.constant(*starts), ends, graph.constant(2, 3), graph.constant(*steps))


def _operation(graph: _Graph, operation: Operation, x: str, stride: int) -> str:
    if operation.zero:
        kept = x if stride == 1 else _sliced(graph, x, (0, 0), (stride, stride))
        return graph.node("ConstantOfShape", graph.node("Shape", kept))  # its default value is zero
    if not operation.layers:
        return x if stride == 1 else _halving(graph, x)
    out = x
    for layer in operation.layers:
        out = _layer(graph, layer, out, stride if layer.strided else 1)
    return graph.added([x, out]) if operation.residual and stride == 1 else out


def _layer(graph: _Graph, layer: Layer, x: str, stride: int) -> str:
    if layer.step == "relu":
        return graph.relu(x)
    if layer.step == "norm":
        return graph.norm(x)
    if layer.step == "conv":
        return graph.conv(x, stride, layer.dilation, layer.depthwise)
    window: dict[str, Any] = {
        "kernel_shape": [layer.kernel] * 2,
        "strides": [stride] * 2,
        "pads": [layer.kernel // 2] * 4,
    }
    if layer.step == "max":
        return graph.node("MaxPool", x, **window)
    return graph.node("AveragePool", x, **window, count_include_pad=0)
