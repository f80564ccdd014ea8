"""How the observations and actions of an environment differ from those of a policy's network."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Interface:
    """What an exported policy translates between its environment and its network.

    Args:
        channels_last: whether observations are pictures `[height, width, channels]`; those of a network are `[channels,
            height, width]`.
        first_action: number of the first discrete action; a network counts from 0.
        action_type: NumPy's name of the type of continuous actions; those of a network are float32.
    """

    channels_last: bool = False
    first_action: int = 0
    action_type: str = "float32"

    def raw(self, observations: NDArray[Any]) -> NDArray[Any]:
        """Observations `[n, *observation]` of the network, with the axes that the environment gives them."""
        return np.moveaxis(observations, 1, -1) if self.channels_last else observations


SAME = Interface()
"""The interface of an environment whose observations and actions are those of the network."""
