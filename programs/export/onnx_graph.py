"""ONNX models, written node by node without a tracer such as torch's, so that names stay as given.

Every ONNX export builds an `OnnxGraph`, turns it into a model with `onnx_model`, checks it with `check_model`, and
runs it with `open_session` to compare its outputs with the reference. `onnx` and `onnxruntime` are optional packages,
so functions import them.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from germline.programs.export.verified import ExportMismatch

_OPSET, _IR_VERSION = 17, 8
"""Versions of 2022, which runtimes of several years read; nothing here needs a later version."""


class OnnxMissing(ValueError):
    """The packages `onnx` and `onnxruntime` are not installed; the message says how to get them."""


def onnx_packages() -> tuple[Any, Any]:
    """The modules `onnx` and `onnxruntime`.

    Raises:
        OnnxMissing: one of them is not installed.
    """
    try:
        import onnx
        import onnxruntime
    except ImportError:
        raise OnnxMissing(
            "expected the packages onnx and onnxruntime, without which no ONNX file is made; "
            "pip install 'germline[onnx]'"
        ) from None
    return onnx, onnxruntime


class OnnxGraph:
    """A graph under construction: nodes in the order in which they run, and constant tensors."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.tensors: list[Any] = []

    def node(self, operator: str, *inputs: str, output: str | None = None, **attributes: Any) -> str:
        """Adds a node and returns the name of its output."""
        from onnx import helper

        name = f"{operator}_{len(self.nodes)}"
        output = output or f"{name}_out"
        self.nodes.append(helper.make_node(operator, inputs, [output], name, **attributes))
        return output

    def tensor(self, value: NDArray[Any], name: str | None = None) -> str:
        """Adds a constant tensor and returns its name."""
        from onnx import numpy_helper

        name = name or f"constant_{len(self.tensors)}"
        self.tensors.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def cast(self, value: str, dtype: type[np.generic], output: str | None = None) -> str:
        """Adds a conversion of `value` to a type of numpy and returns the name of its output."""
        from onnx import helper

        return self.node("Cast", value, output=output, to=helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))

    def relu(self, value: str) -> str:
        """Adds a ReLU and returns the name of its output."""
        return self.node("Relu", value)


def value_info(name: str, dtype: type[np.generic], shape: Sequence[str | int]) -> Any:
    """The description of a graph's input or output; a dimension that is a word, such as `batch`, may have any size."""
    from onnx import helper

    return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(np.dtype(dtype)), list(shape))


def onnx_model(
    graph: OnnxGraph,
    name: str,
    inputs: Sequence[Any],
    outputs: Sequence[Any],
    summary: Sequence[str],
    facts: Sequence[str],
    metadata: Mapping[str, str] | None = None,
) -> Any:
    """The model of a finished graph.

    Args:
        graph: its nodes and tensors.
        name: of the graph.
        inputs, outputs: their descriptions by `value_info`.
        summary: the first lines of its documentation.
        facts: lines `Name: value`, for its documentation and, under the name in lower case, its metadata.
        metadata: more metadata; it replaces facts of the same name.
    """
    from onnx import helper

    model = helper.make_model(
        helper.make_graph(graph.nodes, name, list(inputs), list(outputs), graph.tensors),
        opset_imports=[helper.make_opsetid("", _OPSET)],
        ir_version=_IR_VERSION,
        producer_name="germline",
        doc_string="\n".join([*summary, "", *facts]),
    )
    properties = {key.lower(): value for key, _, value in (fact.partition(": ") for fact in facts)}
    helper.set_model_props(model, properties | dict(metadata or {}))
    return model


def check_model(model: Any) -> None:
    """Raises ExportMismatch for a model that is not valid ONNX."""
    onnx, _ = onnx_packages()
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise ExportMismatch(f"expected a valid ONNX model, got {str(error).strip():.200}") from None


def open_session(content: bytes) -> Any:
    """A session of onnxruntime for the bytes of a model, on one thread of the CPU."""
    _, onnxruntime = onnx_packages()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
