"""Perceptrons on a CPU: policies side by side, a column for each whose turn it is."""

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from germline.evaluators.policy.networks.perceptron_kernels import RELU, TANH, VECTOR, perceptrons, place
from germline.programs.policy.network import LIMIT, Network
from germline.programs.policy.noise import Floats


class PerceptronPolicies:
    """Policies of one multi-layer perceptron.

    Args:
        network: what all of them are.
        parameters: of each, float32 of shape `[P]`, or one array `[N, P]`.
    """

    def __init__(self, network: Network, parameters: Sequence[Floats] | Floats) -> None:
        self.network = network
        self.parameters = parameters
        pairs = zip(network.leaves[::2], network.leaves[1::2], strict=True)
        self.layers = np.array([[weight.begin, bias.begin, weight.shape[0], bias.size] for weight, bias in pairs])
        self.activation = TANH if network.activation == "tanh" else RELU
        normalisation = network.normalisation
        self.mean = np.array(normalisation.mean if normalisation else (), np.float64)
        self.scale = np.array(normalisation.scale if normalisation else (), np.float64)
        self.turns: NDArray[np.int64] | None = None
        """Whose turn it was last, and in which columns they are."""
        self._widen(0)

    def attend(self, slots: NDArray[np.int64], began: NDArray[np.bool_]) -> None:
        return

    def submit(self, which: NDArray[np.int64], observations: NDArray[Any]) -> Callable[[], Floats]:
        found = self.outputs(which, observations)
        return lambda: found

    def outputs(self, which: NDArray[np.int64], observations: NDArray[Any]) -> Floats:
        out = np.empty((len(which), self.network.outputs), np.float32)
        flat = observations.reshape(len(which), prod(self.network.observation))
        perceptrons(flat, *self.taking_turns(which), out)
        return out

    def taking_turns(self, which: NDArray[np.int64]) -> tuple[Any, ...]:
        """What `perceptrons` asks for, but for what is seen and where outputs go: for those whose turn it is, `[n]`."""
        if which is not self.turns:
            self._take_turns(which)
        return self.columns, self.places, self.mean, self.scale, LIMIT, self.layers, self.activation, *self.space

    def _take_turns(self, which: NDArray[np.int64]) -> None:
        """Gives each a column with its policy: one that has it already, or one that nobody needs any more."""
        there: dict[int, list[int]] = {}
        for column, policy in enumerate(self.held):
            there.setdefault(policy, []).append(column)
        places = [columns.pop() if (columns := there.get(policy)) else -1 for policy in which.tolist()]
        free = [column for columns in there.values() for column in columns]
        width = -(-len(places) // VECTOR) * VECTOR
        if places.count(-1) > len(free) or 2 * width <= len(self.held):
            self._widen(width)
            places, free = [-1] * len(places), list(range(len(self.held)))
        for i, policy in enumerate(which.tolist()):
            if places[i] < 0:
                places[i] = free.pop(0)
                place(self.parameters[policy], places[i], self.layers, self.columns)
                self.held[places[i]] = policy
        self.turns, self.places = which, np.array(places, np.int64)

    def _widen(self, width: int) -> None:
        """So many columns, of nobody yet."""
        self.held = [-1] * width
        self.columns = np.zeros((self.network.parameters, width), np.float32)
        widest = int(self.layers[:, 2:].max()) * width
        self.space = np.zeros(widest), np.zeros(widest), np.zeros(widest, np.int64)
