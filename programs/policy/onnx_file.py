"""Export of a policy as an ONNX file, which another runtime has to come to the same actions with before it counts.

The graph is written node by node. It computes in double precision, as all networks of policies do. Runtimes have no
convolution in double precision on a CPU, so what a convolution sees is gathered place by place and multiplied once.
"""

from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from germline.programs.export.origin import Origin
from germline.programs.policy.export import ExportMismatch, metadata, random_observations
from germline.programs.policy.genome import Policy
from germline.programs.policy.module import PolicyModule
from germline.programs.policy.network import CONVOLUTIONS, OBSERVATION_LIMIT, Box, Network, choose_actions, paddings
from germline.programs.policy.noise import Floats
from germline.programs.policy.parameters import replay

_OPSET, _IR_VERSION = 17, 8
"""Of 2022, so that runtimes of several years read the file; nothing in it needs a later one."""
_OBSERVATIONS = 32


class OnnxMissing(ValueError):
    """The packages that an ONNX file is made and checked with are not installed; the message says how to get them."""


def verified_onnx(policy: Policy, origin: Origin, score: str | None = None) -> bytes:
    """The ONNX file of a policy, after another runtime has chosen the same actions with it.

    Its input is `observation` `[batch, *observation]`, double or, for images, uint8. Its outputs are `outputs`
    `[batch, outputs]`, float32, and `action`: int64 `[batch]`, or float32 `[batch, numbers]` inside the box.

    Raises:
        OnnxMissing: the packages `onnx` and `onnxruntime` are not installed.
        ExportMismatch: the file is not valid, or the runtime chooses other actions.
    """
    onnx, onnxruntime = _packages()
    parameters = replay(policy)
    model = _model(policy, parameters, origin, score)
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise ExportMismatch(f"expected a valid ONNX model, got {str(error).strip():.200}") from None
    content: bytes = model.SerializeToString()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    seen = random_observations(policy.network, _OBSERVATIONS)
    with torch.no_grad():
        ours = PolicyModule(policy.network, parameters)(torch.from_numpy(seen)).numpy()
    for batch in (1, _OBSERVATIONS):
        outputs, action = session.run(["outputs", "action"], {"observation": seen[:batch]})
        if not np.array_equal(action, choose_actions(policy.network.actions, ours[:batch])):
            apart = np.abs(outputs - ours[:batch]).max()
            raise ExportMismatch(f"expected the policy's actions, got others; outputs are up to {apart:.3g} apart")
    return content


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


def _model(policy: Policy, parameters: Floats, origin: Origin, score: str | None) -> Any:
    from onnx import TensorProto, helper

    network = policy.network
    graph = _Graph()
    taken = graph.cast("observation", np.float64)
    values = {tensor.name: tensor.view(parameters) for tensor in network.tensors}
    x = _convolved(graph, network, taken, values) if network.form == "conv" else _normalised(graph, network, taken)
    *hidden, output = [tensor.name.removesuffix(".weight") for tensor in network.tensors[::2] if len(tensor.shape) == 2]
    activation = "Relu" if network.form == "conv" or network.activation == "relu" else "Tanh"
    for name in hidden:
        x = graph.node(activation, graph.layer(x, name, values))
    graph.cast(graph.layer(x, output, values), np.float32, "outputs")
    _chosen(graph, network.actions)

    facts = [*origin.lines(), *([f"Return: {score}"] if score else []), f"Parameters: {network.parameter_count}"]
    seen = TensorProto.UINT8 if network.form == "conv" else TensorProto.DOUBLE
    choice = isinstance(network.actions, int)
    tensor = helper.make_tensor_value_info
    action = partial(tensor, "action", TensorProto.INT64 if choice else TensorProto.FLOAT)
    made = helper.make_graph(
        graph.nodes,
        "policy",
        [tensor("observation", seen, ["batch", *network.observation])],
        [
            tensor("outputs", TensorProto.FLOAT, ["batch", network.output_count]),
            action(["batch"] if choice else ["batch", network.output_count]),
        ],
        graph.tensors,
    )
    model = helper.make_model(
        made,
        opset_imports=[helper.make_opsetid("", _OPSET)],
        ir_version=_IR_VERSION,
        producer_name="germline",
        doc_string="\n".join(["A policy that Germline found.", "", *facts]),
    )
    told = {name.lower(): value for name, _, value in (fact.partition(": ") for fact in facts)}
    helper.set_model_props(model, told | metadata(policy))
    return model


class _Graph:
    """Nodes and tensors in the order in which the network runs."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.tensors: list[Any] = []

    def node(self, operator: str, *inputs: str, output: str | None = None, **attributes: Any) -> str:
        """Adds a node, and returns the name of its output."""
        from onnx import helper

        name = f"{operator}_{len(self.nodes)}"
        made = output or f"{name}_out"
        self.nodes.append(helper.make_node(operator, inputs, [made], name, **attributes))
        return made

    def tensor(self, value: NDArray[Any], name: str | None = None) -> str:
        from onnx import numpy_helper

        called = name or f"constant_{len(self.tensors)}"
        self.tensors.append(numpy_helper.from_array(np.ascontiguousarray(value), called))
        return called

    def cast(self, taken: str, dtype: type[np.generic], output: str | None = None) -> str:
        from onnx import helper

        return self.node("Cast", taken, output=output, to=helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))

    def reshaped(self, taken: str, *shape: int) -> str:
        return self.node("Reshape", taken, self.tensor(np.array(shape, np.int64)))

    def layer(self, taken: str, name: str, values: dict[str, Floats]) -> str:
        """Weights are float32 in the file, and doubled when they are used."""
        weight = values[f"{name}.weight"]
        flat = self.tensor(weight.reshape(-1, weight.shape[-1]), f"{name}.weight")
        product = self.node("MatMul", taken, self.cast(flat, np.float64))
        bias = self.tensor(values[f"{name}.bias"], f"{name}.bias")
        return self.node("Add", product, self.cast(bias, np.float64))


def _normalised(graph: _Graph, network: Network, taken: str) -> str:
    x = graph.node("Flatten", taken, axis=1)
    if network.normalisation:
        x = graph.node("Sub", x, graph.tensor(np.array(network.normalisation.mean), "mean"))
        x = graph.node("Mul", x, graph.tensor(np.array(network.normalisation.scale), "scale"))
        x = graph.node("Clip", x, graph.tensor(np.array(-OBSERVATION_LIMIT)), graph.tensor(np.array(OBSERVATION_LIMIT)))
    return x


def _convolved(graph: _Graph, network: Network, taken: str, values: dict[str, Floats]) -> str:
    """Images `[batch, height, width, channels]` from layer to layer, flat at the end."""
    x = graph.node("Div", taken, graph.tensor(np.array(255.0)))
    x = graph.node("Transpose", x, perm=[0, 2, 3, 1])
    channels = network.observation[0]
    shapes = zip(CONVOLUTIONS, paddings(network), network.image_sizes, network.image_sizes[1:], strict=False)
    for number, ((units, kernel, stride), edges, (height, width), made) in enumerate(shapes, 1):
        left, right, above, below = edges
        if any(edges):
            x = graph.node("Pad", x, graph.tensor(np.array([0, above, left, 0, 0, below, right, 0], np.int64)))
        x = graph.reshaped(x, -1, (height + above + below) * (width + left + right) * channels)
        places = _places(made, kernel, stride, width + left + right, channels)
        x = graph.node("Gather", x, graph.tensor(places), axis=1)
        x = graph.node("Relu", graph.layer(x, f"conv{number}", values))
        x = graph.reshaped(x, -1, *made, units)
        channels = units
    return graph.node("Flatten", x, axis=1)


def _places(made: tuple[int, int], kernel: int, stride: int, width: int, channels: int) -> NDArray[np.int32]:
    """Where in a flat image each place of the output looks, `[places, kernel * kernel * channels]`."""
    y, x, dy, dx, c = np.ogrid[: made[0], : made[1], :kernel, :kernel, :channels]
    at: NDArray[np.int64] = ((y * stride + dy) * width + x * stride + dx) * channels + c
    return at.reshape(made[0] * made[1], -1).astype(np.int32)


def _chosen(graph: _Graph, actions: int | Box) -> None:
    if isinstance(actions, int):
        graph.node("ArgMax", "outputs", output="action", axis=1, keepdims=0)
        return
    low, high = np.array(actions.low), np.array(actions.high)
    x = graph.cast("outputs", np.float64)
    x = graph.node("Clip", x, graph.tensor(np.array(-1.0)), graph.tensor(np.array(1.0)))
    x = graph.node("Div", graph.node("Add", x, graph.tensor(np.array(1.0))), graph.tensor(np.array(2.0)))
    x = graph.node("Mul", x, graph.tensor(high - low))
    graph.cast(graph.node("Add", x, graph.tensor(low)), np.float32, "action")
