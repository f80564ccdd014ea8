"""Perceptrons on a CPU: the policies of a batch side by side, the P parameters of each in a column of `[P, width]`."""

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from germline.evaluators.policy.networks.perceptron_kernels import (
    RELU,
    TANH,
    VECTOR,
    forward_perceptrons,
    write_column,
)
from germline.programs.policy.network import OBSERVATION_LIMIT, Network
from germline.programs.policy.noise import Floats


class PerceptronPolicies:
    """Policies of one multi-layer perceptron.

    Args:
        network: the network of all policies.
        parameters: the P parameters of each of N policies: float32 `[P]` each, or one array `[N, P]`.
    """

    def __init__(self, network: Network, parameters: Sequence[Floats] | Floats) -> None:
        self.network = network
        self.parameters = parameters
        pairs = zip(network.tensors[::2], network.tensors[1::2], strict=True)
        self.layers = np.array([[weight.begin, bias.begin, weight.shape[0], bias.size] for weight, bias in pairs])
        self.activation = TANH if network.activation == "tanh" else RELU
        normalisation = network.normalisation
        self.mean = np.array(normalisation.mean if normalisation else (), np.float64)
        self.scale = np.array(normalisation.scale if normalisation else (), np.float64)
        self.batch: NDArray[np.int64] | None = None
        """The argument `policies` of the last batch, None before the first; `places` has the column of each row."""
        self._allocate_columns(0)

    def assign_slots(self, slots: NDArray[np.int64], starting: NDArray[np.bool_]) -> None:
        return

    def forward_async(self, policies: NDArray[np.int64], observations: NDArray[Any]) -> Callable[[], Floats]:
        outputs = self.forward(policies, observations)
        return lambda: outputs

    def forward(self, policies: NDArray[np.int64], observations: NDArray[Any]) -> Floats:
        outputs = np.empty((len(policies), self.network.output_count), np.float32)
        flat = observations.reshape(len(policies), prod(self.network.observation))
        forward_perceptrons(flat, *self.kernel_arguments(policies), outputs)
        return outputs

    def kernel_arguments(self, policies: NDArray[np.int64]) -> tuple[Any, ...]:
        """Arguments of `forward_perceptrons` between observations and outputs, for the policies of n rows of a batch,
        `[n]`."""
        if policies is not self.batch:
            self._place(policies)
        return (
            self.columns, self.places, self.mean, self.scale, OBSERVATION_LIMIT, self.layers, self.activation,
            *self.buffers,
        )  # fmt: skip

    def _place(self, policies: NDArray[np.int64]) -> None:
        """Gives each row of a batch a column with its policy: a column that holds the policy already, or a free one."""
        columns_of: dict[int, list[int]] = {}
        for column, policy in enumerate(self.policy_of_column):
            columns_of.setdefault(policy, []).append(column)
        places = [columns.pop() if (columns := columns_of.get(policy)) else -1 for policy in policies.tolist()]
        free = [column for columns in columns_of.values() for column in columns]
        width = -(-len(places) // VECTOR) * VECTOR
        if places.count(-1) > len(free) or 2 * width <= len(self.policy_of_column):
            self._allocate_columns(width)
            places, free = [-1] * len(places), list(range(len(self.policy_of_column)))
        for i, policy in enumerate(policies.tolist()):
            if places[i] < 0:
                places[i] = free.pop(0)
                write_column(self.parameters[policy], places[i], self.layers, self.columns)
                self.policy_of_column[places[i]] = policy
        self.batch, self.places = policies, np.array(places, np.int64)

    def _allocate_columns(self, width: int) -> None:
        """Allocates columns, which hold no policy yet, and buffers for the values of the widest layer."""
        self.policy_of_column = [-1] * width
        self.columns = np.zeros((self.network.parameter_count, width), np.float32)
        size = int(self.layers[:, 2:].max()) * width
        self.buffers = np.zeros(size), np.zeros(size), np.zeros(size, np.int64)
