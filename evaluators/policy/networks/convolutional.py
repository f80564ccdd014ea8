"""Convolutional policies on a CPU: a slot keeps what its network made of the last image."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from germline.evaluators.policy.networks.conv_kernels import conv
from germline.programs.policy.network import CONVOLUTIONS, Network, paddings
from germline.programs.policy.noise import Floats


class ConvolutionalPolicies:
    """Policies of one convolutional network.

    Args:
        network: what all of them are.
        parameters: of each, float32 of shape `[P]`, or one array `[N, P]`, which is not copied.
    """

    def __init__(self, network: Network, parameters: Sequence[Floats] | Floats) -> None:
        self.network = network
        self.parameters = np.ascontiguousarray(parameters, np.float32)
        self.layers = _layers(network)
        self.memory = _memory(network, self.layers)
        self.slots: NDArray[np.int64] | None = None

    def attend(self, slots: NDArray[np.int64], began: NDArray[np.bool_]) -> None:
        """So that of an image only what is new in it is computed."""
        self.slots = slots
        self.memory = self.memory.of(int(slots.max(initial=-1)) + 1)
        self.memory.ages[slots[began]] = 0

    def submit(self, which: NDArray[np.int64], observations: NDArray[Any]) -> Callable[[], Floats]:
        found = self.outputs(which, observations)
        return lambda: found

    def outputs(self, which: NDArray[np.int64], observations: NDArray[Any]) -> Floats:
        out = np.empty((len(which), self.network.outputs), np.float32)
        slots = self.slots
        if slots is None:
            slots = np.arange(len(which))
            self.memory = self.memory.of(len(which))
            self.memory.ages[slots] = 0
        kept, images = self.memory, np.ascontiguousarray(observations)
        conv(self.parameters, which, images, self.layers, slots, kept.ages, kept.seen, kept.fed, kept.sums, out)
        return out


@dataclass(frozen=True)
class _Memory:
    """What slots keep of a convolutional network from one decision to the next; the kernel says what it is."""

    ages: NDArray[np.int64]
    seen: NDArray[np.uint8]
    fed: NDArray[np.float64]
    sums: NDArray[np.float64]

    def of(self, slots: int) -> "_Memory":
        """With so many slots, if there are fewer."""
        if slots <= len(self.ages):
            return self
        return _Memory(*(_longer(kept, slots) for kept in (self.ages, self.seen, self.fed, self.sums)))


def _longer(kept: NDArray[Any], slots: int) -> NDArray[Any]:
    found = np.zeros((slots, *kept.shape[1:]), kept.dtype)
    found[: len(kept)] = kept
    return found


def _memory(network: Network, layers: NDArray[np.int64]) -> _Memory:
    """Of no slots."""
    fed, sums = (layers[1:, 4:7].prod(1).sum(), (layers[:, 9:11].prod(1) * layers[:, 3]).sum())
    return _Memory(
        np.zeros(0, np.int64), np.zeros((0, *network.observation), np.uint8), np.zeros((0, fed)), np.zeros((0, sums))
    )


def _layers(network: Network) -> NDArray[np.int64]:
    """The rows that the kernels read."""
    pairs = list(zip(network.leaves[::2], network.leaves[1::2], strict=True))
    rows = [[weight.begin, bias.begin, prod(weight.shape[:-1]), bias.size] for weight, bias in pairs]
    for row, (weight, _), (_, kernel, stride), size, made, (left, _, above, _) in zip(
        rows, pairs, CONVOLUTIONS, network.sizes, network.sizes[1:], paddings(network), strict=False
    ):
        row += [*size, weight.shape[2], kernel, stride, *made, above, left]
    rows[3:] = [[*row, 1, 1, row[2], 1, 1, 1, 1, 0, 0] for row in rows[3:]]
    return np.array(rows, np.int64)
