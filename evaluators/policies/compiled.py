"""Policies on a CPU: each decision goes through its own policy's compiled network."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from germline.evaluators.policies import kernels
from germline.programs.policy.network import CONVOLUTIONS, LIMIT, Network
from germline.programs.policy.noise import Floats


class CompiledPolicies:
    """Policies of one network.

    Args:
        network: what all of them are.
        parameters: of each, float32 of shape `[P]`.
    """

    def __init__(self, network: Network, parameters: Sequence[Floats]) -> None:
        self.network = network
        self.parameters = np.stack(parameters)
        self.layers = _layers(network)
        self.memory = _memory(network, self.layers)
        self.slots: NDArray[np.int64] | None = None
        self.activation = kernels.TANH if network.activation == "tanh" else kernels.RELU
        normalisation = network.normalisation
        self.mean = np.array(normalisation.mean if normalisation else (), np.float64)
        self.scale = np.array(normalisation.scale if normalisation else (), np.float64)

    def attend(self, slots: NDArray[np.int64], began: NDArray[np.bool_]) -> None:
        """Says where what is seen next comes from, so that of an image only what is new in it is computed.

        Args:
            slots: from now on row i of `outputs` belongs to slot i of these, `[n]`.
            began: in which of them an episode begins, `[n]`.
        """
        if self.network.form == "conv":
            self.slots = slots
            self.memory = self.memory.of(int(slots.max(initial=-1)) + 1)
            self.memory.ages[slots[began]] = 0

    def outputs(self, which: NDArray[np.int64], observations: NDArray[np.generic]) -> Floats:
        """What networks say to what they see.

        Args:
            which: whose turn it is, `[n]`.
            observations: `[n, *observation]`.

        Returns:
            float32 of shape `[n, outputs]`; each row depends on its own policy and episode alone.
        """
        out = np.empty((len(which), self.network.outputs), np.float32)
        if self.network.form == "conv":
            self._conv(which, np.ascontiguousarray(observations), out)
        else:
            flat = np.ascontiguousarray(observations).reshape(len(which), prod(self.network.observation))
            kernels.mlp(
                self.parameters, which, flat, self.mean, self.scale, LIMIT, self.layers, self.activation, out
            )  # fmt: skip
        return out

    def _conv(self, which: NDArray[np.int64], images: NDArray[np.generic], out: Floats) -> None:
        slots = self.slots
        if slots is None:
            slots = np.arange(len(which))
            self.memory = self.memory.of(len(which))
            self.memory.ages[slots] = 0
        kept = self.memory
        kernels.conv(self.parameters, which, images, self.layers, slots, kept.ages, kept.seen, kept.fed, kept.sums, out)


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
    if network.form == "conv":
        for row, (weight, _), (_, kernel, stride), size, made in zip(
            rows, pairs, CONVOLUTIONS, network.sizes, network.sizes[1:], strict=False
        ):
            above, left = (
                max(0, (out - 1) * stride + kernel - there) // 2 if network.padding == "same" else 0
                for there, out in zip(size, made, strict=True)
            )
            row += [*size, weight.shape[2], kernel, stride, *made, above, left]
        rows[3:] = [[*row, 1, 1, row[2], 1, 1, 1, 1, 0, 0] for row in rows[3:]]
    return np.array(rows, np.int64)
