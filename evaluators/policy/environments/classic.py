"""Classic control: what environments of a few numbers share, whose decisions are compiled.

A `decide` makes one decision in each of some slots. It has one signature for all that are chosen from, and one for all
that are set, so that whole episodes can be played by one compiled
function (`germline.evaluators.policy.compiled_rollout`).
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cache
from typing import Any, ClassVar

import numpy as np
from numba import types
from numpy.typing import NDArray

from germline.evaluators.policy.environments.environment import EnvironmentSpec, Slots, Step
from germline.programs.compiling import compiled_for
from germline.programs.policy.network import Box

CONSTANTS = np.array([2.0])
"""Numbers that a decision must not know when it is compiled: see `Pendulum`."""

CHOICES, EFFORTS = types.int64[::1], types.float32[:, ::1]
"""Actions that are chosen from, and those that are set."""


class Classic(ABC):
    """Environments with a state of a few numbers in each slot.

    Args:
        slots: how many.
    """

    spec: ClassVar[EnvironmentSpec]
    size: ClassVar[int]
    """How many numbers a state has."""
    decide: ClassVar[Any]
    """Compiled, of the parameters that `signature` names."""

    def __init__(self, slots: int) -> None:
        self.slots = slots
        self.state = np.zeros((slots, self.size))
        self.observations = np.zeros((slots, *self.spec.observation), np.float32)
        self.kernel = _ready(self.decide, isinstance(self.spec.actions, Box))

    @abstractmethod
    def reset(self, slots: Slots, seeds: Sequence[int]) -> None:
        """Begins an episode in each of some slots."""

    def step(self, slots: Slots, actions: NDArray[Any]) -> Step:
        rewards, over = np.empty(len(slots)), np.empty(len(slots), np.bool_)
        self.kernel(self.state, self.observations, slots, actions, rewards, over, CONSTANTS)
        return Step(rewards, over)

    def behaviour(self, slots: Slots) -> NDArray[np.float64]:
        """The last state."""
        return self.state[slots]

    def close(self) -> None:
        return


def signature(actions: types.Type) -> Any:
    """Of a `decide`: states `[slots, s]`, observations `[slots, d]`, slots `[n]`, actions, rewards `[n]`, whether they
    are over `[n]`, and `CONSTANTS`."""
    doubles, singles = types.float64[:, ::1], types.float32[:, ::1]
    row, flags = types.float64[::1], types.boolean[::1]
    return types.void(doubles, singles, types.int64[::1], actions, row, flags, row)


@cache
def _ready(decide: Any, box: bool) -> Any:
    return compiled_for(decide, signature(EFFORTS if box else CHOICES))
