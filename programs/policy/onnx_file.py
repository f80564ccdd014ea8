"""Export of a policy as an ONNX file.

The graph computes in double precision, as all networks of policies do. Runtimes have no convolution in double precision
on a CPU, so the inputs of a convolution are gathered for each place of its output and multiplied as a matrix.
"""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from germline.programs.export.onnx_graph import (
    OnnxGraph,
    check_model,
    onnx_model,
    onnx_packages,
    open_session,
    value_info,
)
from germline.programs.export.origin import Origin
from germline.programs.export.verified import ExportMismatch, VerifiedExport
from germline.programs.policy.export import metadata, random_observations
from germline.programs.policy.genome import Policy
from germline.programs.policy.module import PolicyModule
from germline.programs.policy.network import CONVOLUTIONS, OBSERVATION_LIMIT, Box, Network, choose_actions, paddings
from germline.programs.policy.noise import Floats
from germline.programs.policy.parameters import replay

_OBSERVATIONS = 32


def verified_onnx(policy: Policy, origin: Origin, mean_return: str | None = None) -> VerifiedExport[bytes]:
    """The ONNX file of a policy, with which ONNX Runtime has chosen the same actions as torch.

    Its input is `observation` `[batch, *observation]`, double or, for images, uint8. Its outputs are `outputs`
    `[batch, outputs]`, float32, and `action`: int64 `[batch]`, or float32 `[batch, numbers]` inside the box.

    Raises:
        OnnxMissing: the packages `onnx` and `onnxruntime` are not installed.
        ExportMismatch: the file is not valid ONNX, or the runtime chooses other actions.
    """
    onnx_packages()
    network, parameters = policy.network, replay(policy)
    model = _model(policy, parameters, origin, mean_return)
    check_model(model)
    content: bytes = model.SerializeToString()
    session = open_session(content)
    observations = random_observations(network, _OBSERVATIONS)
    with torch.no_grad():
        expected = PolicyModule(network, parameters)(torch.from_numpy(observations)).numpy()
    for batch in (1, _OBSERVATIONS):
        outputs, action = session.run(["outputs", "action"], {"observation": observations[:batch]})
        if not np.array_equal(action, choose_actions(network.actions, expected[:batch])):
            difference = float(np.abs(outputs - expected[:batch]).max())
            raise ExportMismatch(f"expected the same actions, got others; outputs differ by up to {difference:.3g}")
    return VerifiedExport(content, facts={"parameters": network.parameter_count})


def _model(policy: Policy, parameters: Floats, origin: Origin, mean_return: str | None) -> Any:
    """The ONNX model of a policy with its P `parameters`, float32 `[P]`; `mean_return` is in words, or None."""
    network = policy.network
    graph = OnnxGraph()
    observation = graph.cast("observation", np.float64)
    values = {tensor.name: tensor.view(parameters) for tensor in network.tensors}
    if network.form == "conv":
        x = _convolved(graph, network, observation, values)
    else:
        x = _normalised(graph, network, observation)
    matrices = [tensor.name for tensor in network.tensors[::2] if len(tensor.shape) == 2]
    *hidden, output = [name.removesuffix(".weight") for name in matrices]
    activation = "Relu" if network.form == "conv" or network.activation == "relu" else "Tanh"
    for name in hidden:
        x = graph.node(activation, _layer(graph, x, name, values))
    graph.cast(_layer(graph, x, output, values), np.float32, "outputs")
    _choose(graph, network.actions)

    facts = [
        *origin.lines(),
        *([f"Return: {mean_return}"] if mean_return else []),
        f"Parameters: {network.parameter_count}",
    ]
    if isinstance(network.actions, int):
        action = value_info("action", np.int64, ["batch"])
    else:
        action = value_info("action", np.float32, ["batch", network.output_count])
    pixels_or_numbers = np.uint8 if network.form == "conv" else np.float64
    return onnx_model(
        graph,
        "policy",
        inputs=[value_info("observation", pixels_or_numbers, ["batch", *network.observation])],
        outputs=[value_info("outputs", np.float32, ["batch", network.output_count]), action],
        summary=["A policy that Germline found."],
        facts=facts,
        metadata=metadata(policy),
    )


def _reshaped(graph: OnnxGraph, x: str, *shape: int) -> str:
    return graph.node("Reshape", x, graph.tensor(np.array(shape, np.int64)))


def _layer(graph: OnnxGraph, x: str, name: str, values: dict[str, Floats]) -> str:
    """A linear layer. Its weights are float32 in the file and converted to double precision where they are used."""
    weight = values[f"{name}.weight"]
    flat = graph.tensor(weight.reshape(-1, weight.shape[-1]), f"{name}.weight")
    product = graph.node("MatMul", x, graph.cast(flat, np.float64))
    bias = graph.tensor(values[f"{name}.bias"], f"{name}.bias")
    return graph.node("Add", product, graph.cast(bias, np.float64))


def _normalised(graph: OnnxGraph, network: Network, observation: str) -> str:
    """The flat observation, normalised and clipped if the network normalises."""
    x = graph.node("Flatten", observation, axis=1)
    if network.normalisation:
        x = graph.node("Sub", x, graph.tensor(np.array(network.normalisation.mean), "mean"))
        x = graph.node("Mul", x, graph.tensor(np.array(network.normalisation.scale), "scale"))
        x = graph.node("Clip", x, graph.tensor(np.array(-OBSERVATION_LIMIT)), graph.tensor(np.array(OBSERVATION_LIMIT)))
    return x


def _convolved(graph: OnnxGraph, network: Network, observation: str, values: dict[str, Floats]) -> str:
    """The flat features of the convolutions, which pass images `[batch, height, width, channels]` to each other."""
    x = graph.node("Div", observation, graph.tensor(np.array(255.0)))
    x = graph.node("Transpose", x, perm=[0, 2, 3, 1])
    channels = network.observation[0]
    shapes = zip(CONVOLUTIONS, paddings(network), network.image_sizes, network.image_sizes[1:], strict=False)
    for number, ((units, kernel, stride), edges, (height, width), output_size) in enumerate(shapes, 1):
        left, right, above, below = edges
        if any(edges):
            x = graph.node("Pad", x, graph.tensor(np.array([0, above, left, 0, 0, below, right, 0], np.int64)))
        x = _reshaped(graph, x, -1, (height + above + below) * (width + left + right) * channels)
        places = _places(output_size, kernel, stride, width + left + right, channels)
        x = graph.node("Gather", x, graph.tensor(places), axis=1)
        x = graph.node("Relu", _layer(graph, x, f"conv{number}", values))
        x = _reshaped(graph, x, -1, *output_size, units)
        channels = units
    return graph.node("Flatten", x, axis=1)


def _places(output_size: tuple[int, int], kernel: int, stride: int, width: int, channels: int) -> NDArray[np.int32]:
    """The positions that each place of the output reads, int32 `[places, kernel * kernel * channels]`.

    They are positions in a flat padded image `[height, width, channels]`, whose width is `width`.
    """
    y, x, dy, dx, c = np.ogrid[: output_size[0], : output_size[1], :kernel, :kernel, :channels]
    at: NDArray[np.int64] = ((y * stride + dy) * width + x * stride + dx) * channels + c
    return at.reshape(output_size[0] * output_size[1], -1).astype(np.int32)


def _choose(graph: OnnxGraph, actions: int | Box) -> None:
    """Adds the output `action`: int64 `[batch]`, the index of the largest output; or, for a box, float32
    `[batch, numbers]`, the outputs clipped to -1..1 and mapped from there to the box."""
    if isinstance(actions, int):
        graph.node("ArgMax", "outputs", output="action", axis=1, keepdims=0)
        return
    low, high = np.array(actions.low), np.array(actions.high)
    x = graph.cast("outputs", np.float64)
    x = graph.node("Clip", x, graph.tensor(np.array(-1.0)), graph.tensor(np.array(1.0)))
    x = graph.node("Div", graph.node("Add", x, graph.tensor(np.array(1.0))), graph.tensor(np.array(2.0)))
    x = graph.node("Mul", x, graph.tensor(high - low))
    graph.cast(graph.node("Add", x, graph.tensor(low)), np.float32, "action")
