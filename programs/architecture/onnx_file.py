"""Export of an architecture as an ONNX file: its network in evaluation, with initial weights.

The graph is written from the genome and the table of operations, and its tensors have the names that torch gives them.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from germline.programs.architecture.counts import Skeleton, count
from germline.programs.architecture.export import size_facts
from germline.programs.architecture.genome import Architecture, Cell
from germline.programs.architecture.network import Network
from germline.programs.architecture.operations import OPERATIONS, Layer, Operation
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
    """The ONNX file of an architecture, after another runtime has come to the same logits with it.

    Its input is `images` `[batch, channels, height, width]`, its output `logits` `[batch, classes]`, both float32; the
    batch is of any size.

    Raises:
        OnnxMissing: the packages `onnx` and `onnxruntime` are not installed.
        TooLarge: the network has more parameters than a file can hold.
        ExportMismatch: the file is not valid ONNX, or differs from the network in size or logits; or the network's own
            logits are not finite with untrained weights, as in a very deep one that only adds.
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
        # With initial weights the signal fades from cell to cell, until the logits hardly depend on the cells between:
        # the same graph is compared again with weights that keep the signal alive.
        _enliven(network, skeleton)
        lively = _model(architecture, skeleton, origin, network.state_dict()).SerializeToString()
        difference = max(difference, _difference(lively, network, skeleton))
    return VerifiedExport(content, None, difference, TOLERANCE, size_facts(counts))


# Verification


def _parameters(model: Any) -> int:
    """How many parameters the tensors of a model hold; its other tensors are statistics and constants."""
    parameters = [tensor for tensor in model.graph.initializer if tensor.name.endswith((".weight", ".bias"))]
    return sum(math.prod(tensor.dims) for tensor in parameters)


def _difference(content: bytes, network: nn.Module, skeleton: Skeleton) -> float:
    """The largest relative difference of the logits of a file and of the network, over several sizes of the batch.

    Raises:
        ExportMismatch: it is above the tolerance, the shapes differ, or the network's logits are not finite.
    """
    session = open_session(content)
    largest = 0.0
    for batch in _BATCHES:
        images = torch.randn(batch, *skeleton.image)
        with torch.no_grad():
            expected = network(images)
        if not expected.isfinite().all():
            raise ExportMismatch(
                "expected finite logits of the network to compare with, got others; choose fewer --cells"
            )
        logits = torch.from_numpy(session.run(["logits"], {"images": images.numpy()})[0])
        check_equal("the shape of the logits", tuple(logits.shape), tuple(expected.shape))
        difference = difference_to_largest(logits, expected)
        check_difference("logits", difference, TOLERANCE)
        largest = max(largest, difference)
    return largest


def _enliven(network: nn.Module, skeleton: Skeleton) -> None:
    """Gives the norms of a network random weights and the statistics of random images.

    The large shifts keep most values above zero and every variance away from zero. Otherwise a deep network multiplies
    the rounding errors of the two runtimes a thousandfold, and the comparison would measure those.
    """
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = None  # the mean over all batches, of which there is one
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
    graph = _Graph(weights)
    logits = (_two_cells if architecture.inputs == 2 else _one_cell)(graph, architecture, skeleton)
    graph.node("Identity", logits, output="logits")
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
    """A graph that takes its weights from a network, in the order in which torch lists them and the network runs."""

    def __init__(self, weights: Mapping[str, Tensor]) -> None:
        super().__init__()
        self._weights = iter([item for item in weights.items() if not item[0].endswith("num_batches_tracked")])
        self._constants: dict[tuple[int, ...], str] = {}

    def weight(self) -> tuple[str, tuple[int, ...]]:
        """Name and shape of the next tensor of the network."""
        name, value = next(self._weights)
        return self.tensor(value.numpy(), name), tuple(value.shape)

    def constant(self, *numbers: int) -> str:
        """The name of a tensor of these integers, which the graph holds once."""
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

    def added(self, maps: Sequence[str]) -> str:
        total, *others = maps
        for one in others:
            total = self.node("Add", total, one)
        return total


def _two_cells(graph: _Graph, architecture: Architecture, skeleton: Skeleton) -> str:
    before = last = _stem(graph)
    reduced = False
    for number in range(skeleton.cells):
        reduces = number in skeleton.reductions
        before, last = last, _pair_cell(graph, architecture.cells[reduces], before, last, reduces, reduced)
        reduced = reduces
    return _head(graph, last)


def _one_cell(graph: _Graph, architecture: Architecture, skeleton: Skeleton) -> str:
    last = _stem(graph)
    for number in range(skeleton.cells):
        if number in skeleton.reductions:
            last = _residual_block(graph, last)
        last = _edge_cell(graph, architecture.cells[0], last)
    return _head(graph, graph.relu(graph.norm(last)))


def _stem(graph: _Graph) -> str:
    return graph.norm(graph.conv("images"))


def _head(graph: _Graph, last: str) -> str:
    features = graph.node("Flatten", graph.node("GlobalAveragePool", last), axis=1)
    weight, bias = graph.weight()[0], graph.weight()[0]
    return graph.node("Gemm", features, weight, bias, transB=1)


def _pair_cell(graph: _Graph, cell: Cell, before: str, last: str, reduces: bool, reduced: bool) -> str:
    entered = _halving(graph, before) if reduced else _pointwise(graph, before)
    maps = [entered, _pointwise(graph, last)]
    for node in cell.nodes:
        edges = [
            _operation(graph, OPERATIONS[name], maps[source], 2 if reduces and source < 2 else 1)
            for name, source in node
        ]
        maps.append(graph.added(edges))
    return graph.node("Concat", *(maps[number] for number in cell.concat), axis=1)


def _edge_cell(graph: _Graph, cell: Cell, last: str) -> str:
    maps = [last]
    for node in cell.nodes:
        maps.append(graph.added([_operation(graph, OPERATIONS[name], maps[source], 1) for name, source in node]))
    return maps[-1]


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
