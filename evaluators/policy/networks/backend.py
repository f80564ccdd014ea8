"""The networks of some policies, and what makes them say something.

Parameters are float32, all else is computed in double precision, and only what comes out is rounded to float32. So
nearly always the same numbers come out, whatever computes them and in whatever order it adds up, and an exported
network plays the same episodes. Torch came to another last bit in 1 of 10 million numbers of perceptrons. Of
convolutional networks, whose sums are kept from one decision to the next, up to 5 in a million are to be expected.
"""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from germline.programs.policy.network import Network
from germline.programs.policy.noise import Floats


class Networks(Protocol):
    """Policies of one network, each with parameters of its own."""

    def attend(self, slots: NDArray[np.int64], began: NDArray[np.bool_]) -> None:
        """Says where what is seen next comes from, for networks that keep something from one decision to the next.

        Args:
            slots: from now on row i belongs to slot i of these, `[n]`.
            began: in which of them an episode begins, `[n]`.
        """
        ...

    def submit(self, which: NDArray[np.int64], observations: NDArray[Any]) -> Callable[[], Floats]:
        """`outputs`, in two steps: begins, and gives a function that waits for what comes out."""
        ...

    def outputs(self, which: NDArray[np.int64], observations: NDArray[Any]) -> Floats:
        """What networks say to what they see.

        Args:
            which: whose turn it is, `[n]`; not changed by anyone afterwards.
            observations: `[n, *observation]`.

        Returns:
            float32 of shape `[n, outputs]`; each row depends on its own policy and episode alone.
        """
        ...


def networks_of(network: Network, parameters: Sequence[Floats] | Floats, device: str = "cpu") -> Networks:
    """Policies of one network on a device of torch.

    Args:
        network: what all of them are.
        parameters: of each, float32 of shape `[P]`, or one array `[N, P]`.
    """
    if device != "cpu":
        from germline.evaluators.policy.networks.stacked import StackedPolicies

        return StackedPolicies(network, parameters, device)
    if network.form == "conv":
        from germline.evaluators.policy.networks.convolutional import ConvolutionalPolicies

        return ConvolutionalPolicies(network, parameters)
    from germline.evaluators.policy.networks.perceptrons import PerceptronPolicies

    return PerceptronPolicies(network, parameters)
