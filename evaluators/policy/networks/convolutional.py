"""Convolutional policies on a CPU: slots store the sums of all layers, and only changes of the image are computed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from germline.evaluators.policy.networks.conv_kernels import forward_convolutional
from germline.programs.policy.network import CONVOLUTIONS, Network, paddings
from germline.programs.policy.noise import Floats


class ConvolutionalPolicies:
    """Policies of one convolutional network.

    Args:
        network: the network of all policies.
        parameters: the P parameters of each of N policies: float32 `[P]` each, or one array `[N, P]`, which is not
            copied.
    """

    def __init__(self, network: Network, parameters: Sequence[Floats] | Floats) -> None:
        self.network = network
        self.parameters = np.ascontiguousarray(parameters, np.float32)
        self.layers = _layer_table(network)
        self.memory = _empty_memory(network, self.layers)
        self.slots: NDArray[np.int64] | None = None

    def assign_slots(self, slots: NDArray[np.int64], starting: NDArray[np.bool_]) -> None:
        self.slots = slots
        self.memory = self.memory.grown(int(slots.max(initial=-1)) + 1)
        self.memory.ages[slots[starting]] = 0

    def forward_async(self, policies: NDArray[np.int64], observations: NDArray[Any]) -> Callable[[], Floats]:
        outputs = self.forward(policies, observations)
        return lambda: outputs

    def forward(self, policies: NDArray[np.int64], observations: NDArray[Any]) -> Floats:
        outputs = np.empty((len(policies), self.network.output_count), np.float32)
        slots = self.slots
        if slots is None:  # the rows of this batch are unrelated to the rows of the last batch
            slots = np.arange(len(policies))
            self.memory = self.memory.grown(len(policies))
            self.memory.ages[slots] = 0
        memory, images = self.memory, np.ascontiguousarray(observations)
        forward_convolutional(
            self.parameters, policies, images, self.layers, slots, memory.ages, memory.images, memory.inputs,
            memory.sums, outputs,
        )  # fmt: skip
        return outputs


@dataclass(frozen=True)
class _Memory:
    """State that slots keep from one decision to the next; the kernel `forward_convolutional` describes the arrays."""

    ages: NDArray[np.int64]
    images: NDArray[np.uint8]
    inputs: NDArray[np.float64]
    sums: NDArray[np.float64]

    def grown(self, slots: int) -> "_Memory":
        """The same state with at least this many slots."""
        if slots <= len(self.ages):
            return self
        return _Memory(*(_grown(array, slots) for array in (self.ages, self.images, self.inputs, self.sums)))


def _grown(array: NDArray[Any], length: int) -> NDArray[Any]:
    longer = np.zeros((length, *array.shape[1:]), array.dtype)
    longer[: len(array)] = array
    return longer


def _empty_memory(network: Network, layers: NDArray[np.int64]) -> _Memory:
    """A memory without slots."""
    inputs, sums = (layers[1:, 4:7].prod(1).sum(), (layers[:, 9:11].prod(1) * layers[:, 3]).sum())
    return _Memory(
        np.zeros(0, np.int64), np.zeros((0, *network.observation), np.uint8), np.zeros((0, inputs)), np.zeros((0, sums))
    )


def _layer_table(network: Network) -> NDArray[np.int64]:
    """The rows of layers that the kernels read, `[layers, 13]`."""
    pairs = list(zip(network.tensors[::2], network.tensors[1::2], strict=True))
    rows = [[weight.begin, bias.begin, prod(weight.shape[:-1]), bias.size] for weight, bias in pairs]
    sizes = network.image_sizes
    for row, (weight, _), (_, kernel, stride), in_size, out_size, (left, _, above, _) in zip(
        rows, pairs, CONVOLUTIONS, sizes, sizes[1:], paddings(network), strict=False
    ):
        row += [*in_size, weight.shape[2], kernel, stride, *out_size, above, left]
    rows[3:] = [[*row, 1, 1, row[2], 1, 1, 1, 1, 0, 0] for row in rows[3:]]
    return np.array(rows, np.int64)
