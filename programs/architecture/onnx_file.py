"""Export of an architecture as an ONNX file: its network in evaluation, with initial weights, run before it counts.

The graph is written from the genome and the table of operations, node by node and without a tracer: it needs no more
than the package `onnx`, stays as small as the network is, and tensors keep the names that they have in torch.
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
"""The largest difference of logits, relative to the largest logit, that an exported file may show."""
WEIGHTS = "initial, not trained"
"""What the file says of its weights: a database holds architectures, and nothing that was trained of them."""

_OPSET, _IR_VERSION = 17, 8
"""Of 2022, so that runtimes of several years read the file; nothing in it needs a later one."""
_MOST_PARAMETERS = 500_000_000
_SEED = 0
_BATCHES = (1, 5)


class OnnxMissing(ValueError):
    """The packages that an ONNX file is made and checked with are not installed; the message says how to get them."""


class TooLarge(ValueError):
    """A network that one ONNX file cannot hold; the message names the limit."""


@dataclass(frozen=True)
class VerifiedFile:
    """The bytes of an ONNX file that has been run beside the network, and the difference of their logits."""

    content: bytes
    difference: float
    counts: Counts


def verified_onnx(architecture: Architecture, skeleton: Skeleton, origin: Origin) -> VerifiedFile:
    """The ONNX file of an architecture, after another runtime has come to the same logits with it.

    Its input is `images` `[batch, channels, height, width]`, its output `logits` `[batch, classes]`, both float32; the
    batch is of any size.

    Raises:
        OnnxMissing: the packages `onnx` and `onnxruntime` are not installed.
        TooLarge: the network has more parameters than a file can hold.
        ExportMismatch: the file is not valid, or not of the same size, or its logits are others; or the network's own
            are not finite with untrained weights, as in a very deep one that only adds.
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
        # Initial weights make the signal fade from cell to cell, until the logits say little of what lies between: the
        # same graph is compared once more with weights that keep it alive.
        _enliven(network, skeleton)
        lively = _model(architecture, skeleton, origin, network.state_dict()).SerializeToString()
        difference = max(difference, _difference(lively, network, skeleton))
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
    """Raises ExportMismatch for a model that is not valid ONNX, or not of so many parameters."""
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise ExportMismatch(f"expected a valid ONNX model, got {str(error).strip():.200}") from None
    params = sum(
        math.prod(tensor.dims)
        for tensor in model.graph.initializer
        if tensor.name.endswith((".weight", ".bias"))  # the others are statistics, and constants
    )
    if params != counts.params:
        raise ExportMismatch(f"expected {counts.params:,} parameters of the exported network, got {params:,}")


def _difference(content: bytes, network: nn.Module, skeleton: Skeleton) -> float:
    """How far the logits of a file are from those of the network, relative to the largest, at any size of the batch."""
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


def _enliven(network: nn.Module, skeleton: Skeleton) -> None:
    """Gives norms random factors and the statistics of random images.

    With shifts this large most values stay above zero, and no variance is next to nothing: otherwise a deep network
    multiplies the rounding errors of two runtimes a thousandfold, and what is compared should not be those.
    """
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = None  # the mean of all batches: here, of one
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
    """The model of an architecture with the weights of its network, as torch names and orders them."""
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
    """Nodes and tensors in the order in which the network runs, which is that in which torch lists its weights."""

    def __init__(self, weights: Mapping[str, Tensor]) -> None:
        self.nodes: list[Any] = []
        self.tensors: list[Any] = []
        self._weights = iter([one for one in weights.items() if not one[0].endswith("num_batches_tracked")])
        self._constants: dict[tuple[int, ...], str] = {}

    def node(self, operator: str, *inputs: str, output: str | None = None, **attributes: Any) -> str:
        """Adds a node, and returns the name of its output."""
        from onnx import helper

        name = f"{operator}_{len(self.nodes)}"
        made = output or f"{name}_out"
        self.nodes.append(helper.make_node(operator, inputs, [made], name, **attributes))
        return made

    def weight(self) -> tuple[str, tuple[int, ...]]:
        """Name and shape of the next tensor of the network."""
        from onnx import numpy_helper

        name, value = next(self._weights)
        self.tensors.append(numpy_helper.from_array(value.numpy(), name))
        return name, tuple(value.shape)

    def constant(self, *numbers: int) -> str:
        from onnx import TensorProto, helper

        if numbers not in self._constants:
            name = self._constants[numbers] = "ints_" + "_".join(map(str, numbers))
            self.tensors.append(helper.make_tensor(name, TensorProto.INT64, [len(numbers)], numbers))
        return self._constants[numbers]

    def conv(self, taken: str, stride: int = 1, dilation: int = 1, depthwise: bool = False) -> str:
        """The network's next convolution; its kernel, and the padding that keeps the size, follow from the weights."""
        name, (made, _, *kernel) = self.weight()
        return self.node(
            "Conv",
            taken,
            name,
            kernel_shape=kernel,
            pads=[dilation * (size // 2) for size in kernel] * 2,
            strides=[stride] * 2,
            dilations=[dilation] * 2,
            group=made if depthwise else 1,
        )

    def norm(self, taken: str) -> str:
        scale, bias, mean, variance = (self.weight()[0] for _ in range(4))
        return self.node("BatchNormalization", taken, scale, bias, mean, variance, epsilon=1e-5)

    def relu(self, taken: str) -> str:
        return self.node("Relu", taken)

    def added(self, maps: Sequence[str]) -> str:
        total, *others = maps
        for one in others:
            total = self.node("Add", total, one)
        return total


def _logits(graph: _Graph, network: Sequence[NetworkLayer]) -> str:
    """Adds the nodes of all layers, and returns the name of the last one's output."""
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


def _pointwise(graph: _Graph, taken: str) -> str:
    return graph.norm(graph.conv(graph.relu(taken)))


def _halving(graph: _Graph, taken: str) -> str:
    """Two 1×1 convolutions of stride 2, the second one on a map that is shifted by a pixel."""
    taken = graph.relu(taken)
    padded = graph.node("Pad", taken, graph.constant(0, 0, 0, 0, 0, 0, 1, 1))
    shifted = _sliced(graph, padded, (1, 1), (1, 1))
    return graph.norm(graph.node("Concat", graph.conv(taken, stride=2), graph.conv(shifted, stride=2), axis=1))


def _sliced(graph: _Graph, taken: str, starts: tuple[int, int], steps: tuple[int, int]) -> str:
    """Rows and columns from a first one to the end."""
    ends = graph.constant(2**31 - 1, 2**31 - 1)
    return graph.node("Slice", taken, graph.constant(*starts), ends, graph.constant(2, 3), graph.constant(*steps))


def _operation(graph: _Graph, operation: Operation, taken: str, stride: int) -> str:
    if operation.zero:
        kept = taken if stride == 1 else _sliced(graph, taken, (0, 0), (stride, stride))
        return graph.node("ConstantOfShape", graph.node("Shape", kept))  # zeros, unless told otherwise
    if not operation.layers:
        return taken if stride == 1 else _halving(graph, taken)
    made = taken
    for layer in operation.layers:
        made = _layer(graph, layer, made, stride if layer.strided else 1)
    return graph.added([taken, made]) if operation.residual and stride == 1 else made


def _layer(graph: _Graph, layer: Layer, taken: str, stride: int) -> str:
    if layer.step == "relu":
        return graph.relu(taken)
    if layer.step == "norm":
        return graph.norm(taken)
    if layer.step == "conv":
        return graph.conv(taken, stride, layer.dilation, layer.depthwise)
    window: dict[str, Any] = {
        "kernel_shape": [layer.kernel] * 2,
        "strides": [stride] * 2,
        "pads": [layer.kernel // 2] * 4,
    }
    if layer.step == "max":
        return graph.node("MaxPool", taken, **window)
    return graph.node("AveragePool", taken, **window, count_include_pad=0)
