"""Base of the compiled classic-control environments, whose states are a few numbers.

A step kernel makes one decision in each of some slots. All kernels of discrete actions share a signature, and so do all
kernels of continuous actions, so that one compiled function plays whole episodes of any of these environments
(`germline.evaluators.policy.compiled_rollout`).
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

RUNTIME_CONSTANTS = np.array([2.0])
"""Numbers that kernels get at run time, so that the compiler cannot simplify with them: the exponent of squares, see
`pendulum`."""

DISCRETE_ACTIONS, CONTINUOUS_ACTIONS = types.int64[::1], types.float32[:, ::1]
"""Numba's types of the actions of a step in n slots: `[n]`, and `[n, d]` for actions of d numbers."""


class ClassicControl(ABC):
    """Environments with a state of a few numbers in each slot, stepped by a compiled kernel.

    Args:
        slots: number of slots.
    """

    spec: ClassVar[EnvironmentSpec]
    state_size: ClassVar[int]
    """Length of a state."""
    kernel: ClassVar[Any]
    """The step kernel; `kernel_signature` describes its arguments."""

    def __init__(self, slots: int) -> None:
        self.slots = slots
        self.state = np.zeros((slots, self.state_size))
        self.observations = np.zeros((slots, *self.spec.observation), np.float32)
        self.compiled_kernel = _compile(self.kernel, isinstance(self.spec.actions, Box))

    @abstractmethod
    def reset(self, slots: Slots, seeds: Sequence[int]) -> None:
        """Begins an episode in each of the given slots."""

    def step(self, slots: Slots, actions: NDArray[Any]) -> Step:
        rewards, over = np.empty(len(slots)), np.empty(len(slots), np.bool_)
        self.compiled_kernel(self.state, self.observations, slots, actions, rewards, over, RUNTIME_CONSTANTS)
        return Step(rewards, over)

    def behaviour(self, slots: Slots) -> NDArray[np.float64]:
        """The last state in each of n slots, `[n, state_size]`."""
        return self.state[slots]

    def close(self) -> None:
        return


def kernel_signature(actions: types.Type) -> Any:
    """Signature of a step kernel for actions of a type.

    The arguments are states `[slots, state_size]` and observations `[slots, *observation]`, both updated in place; the
    n slots in which to step, `[n]`; their actions; rewards `[n]` and whether episodes are over `[n]`, both written; and
    `RUNTIME_CONSTANTS`.
    """
    doubles, singles = types.float64[:, ::1], types.float32[:, ::1]
    row, flags = types.float64[::1], types.boolean[::1]
    return types.void(doubles, singles, types.int64[::1], actions, row, flags, row)


@cache
def _compile(kernel: Any, continuous: bool) -> Any:
    return compiled_for(kernel, kernel_signature(CONTINUOUS_ACTIONS if continuous else DISCRETE_ACTIONS))
