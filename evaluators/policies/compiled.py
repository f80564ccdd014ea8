"""Policies on a CPU: each decision goes through its own policy's compiled network."""

from collections.abc import Sequence
from math import prod

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
        self.activation = kernels.TANH if network.activation == "tanh" else kernels.RELU
        normalisation = network.normalisation
        self.mean = np.array(normalisation.mean if normalisation else (), np.float64)
        self.scale = np.array(normalisation.scale if normalisation else (), np.float64)

    def outputs(self, which: NDArray[np.int64], observations: NDArray[np.generic]) -> Floats:
        """What networks say to what they see.

        Args:
            which: whose turn it is, `[n]`.
            observations: `[n, *observation]`.

        Returns:
            float32 of shape `[n, outputs]`; each row depends on its own policy and observation alone.
        """
        out = np.empty((len(which), self.network.outputs), np.float32)
        if self.network.form == "conv":
            kernels.conv(self.parameters, which, np.ascontiguousarray(observations), self.layers, out)
        else:
            flat = np.ascontiguousarray(observations).reshape(len(which), prod(self.network.observation))
            kernels.mlp(
                self.parameters, which, flat, self.mean, self.scale, LIMIT, self.layers, self.activation, out
            )  # fmt: skip
        return out


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
        rows[3:] = [[*row, *[0] * 9] for row in rows[3:]]
    return np.array(rows, np.int64)
