"""Fully connected layers of many candidates at once, on columns: the features of an example are a column."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from math import sqrt

import torch
from torch import Tensor

from germline.evaluators.optimizer.task import ParameterSpec


def dense_parameters(names: Sequence[str], sizes: Sequence[int], gain: float = 1.0) -> tuple[ParameterSpec, ...]:
    """Returns weight and bias of successive layers, with biases of zero and weights of variance `gain / inputs`, but
    1 / inputs in the last layer.

    Args:
        names: of the layers.
        sizes: number of features before each layer, and after the last.
        gain: 1 for tanh, 2 for ReLU.
    """
    return tuple(
        spec
        for name, (inputs, outputs) in zip(names, pairwise(sizes), strict=True)
        for spec in (
            ParameterSpec(f"{name}.weight", (outputs, inputs), sqrt((1.0 if name == names[-1] else gain) / inputs)),
            ParameterSpec(f"{name}.bias", (outputs,), 0.0),
        )
    )


def dense(params: Mapping[str, Tensor], layer: str, columns: Tensor) -> Tensor:
    """Returns the layer's products plus biases `[N, outputs, batch]` of columns `[N, inputs, batch]`."""
    return torch.baddbmm(params[f"{layer}.bias"][:, :, None], params[f"{layer}.weight"], columns)
