"""The contract of forward passes of many policies at once, and the backend for each network and device.

Parameters are float32, all computation is in double precision, and only outputs are rounded to float32. So all backends
nearly always give the same bits, although the order of their sums differs, and an exported network plays the same
episodes. For perceptrons torch gave another last bit in 1 of 10 million outputs. For convolutional networks, whose sums
are kept from one decision to the next, up to 5 in a million are to be expected.
"""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from germline.evaluators.policy.task import PolicyTask
from germline.programs.policy.network import Network
from germline.programs.policy.noise import Floats


class Networks(Protocol):
    """N policies that share one network, each with its own parameters."""

    def assign_slots(self, slots: NDArray[np.int64], starting: NDArray[np.bool_]) -> None:
        """Assigns the rows of the next batches to slots. Only backends that keep state per slot need it.

        Args:
            slots: row i of the n rows of the next batches belongs to slot `slots[i]`, `[n]`.
            starting: whether an episode begins in that slot, so that its state is dropped, `[n]`.
        """
        ...

    def forward(self, policies: NDArray[np.int64], observations: NDArray[Any]) -> Floats:
        """Outputs of the networks for a batch of observations.

        Args:
            policies: index of the policy of each of n rows, `[n]`. The caller must not modify the array afterwards: a
                backend may recognise it by its identity.
            observations: `[n, *observation]`.

        Returns:
            float32 `[n, outputs]`; a row depends on its own policy and episode alone.
        """
        ...

    def forward_async(self, policies: NDArray[np.int64], observations: NDArray[Any]) -> Callable[[], Floats]:
        """Starts `forward`, and returns a function that waits for its outputs."""
        ...


def networks_of(
    network: Network,
    parameters: Sequence[Floats] | Floats,
    device: str = "cpu",
    task: type[PolicyTask] | None = None,
) -> Networks:
    """The backend of a network on a device.

    Args:
        network: the network of all policies.
        parameters: the P parameters of each of N policies: float32 `[P]` each, or one array `[N, P]`.
        device: a device of torch.
        task: whose module a network of the form `own` is, which has to fit it; built-in networks need none.

    Raises:
        InvalidTask: the module cannot be the network of policies.
    """
    # Imports are here, so that only the backend in use is loaded.
    if network.form == "own":
        from germline.evaluators.policy.networks.own_policies import OwnPolicies
        from germline.evaluators.policy.networks.own_trial import own_network

        assert task is not None
        return OwnPolicies(network, parameters, own_network(task, device), device)
    if device != "cpu":
        from germline.evaluators.policy.networks.stacked import StackedPolicies

        return StackedPolicies(network, parameters, device)
    if network.form == "conv":
        from germline.evaluators.policy.networks.convolutional import ConvolutionalPolicies

        return ConvolutionalPolicies(network, parameters)
    from germline.evaluators.policy.networks.perceptrons import PerceptronPolicies

    return PerceptronPolicies(network, parameters)
