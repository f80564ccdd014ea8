"""The contract of environments: `EnvironmentSpec`, and `Environments`, which are stepped side by side in slots."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from germline.evaluators.errors import InvalidTask, shown
from germline.programs.policy.network import Box

Slots = NDArray[np.int64]
"""The indices of n slots, int64 `[n]`, ascending. In a slot episodes are played one after the other."""


@dataclass(frozen=True)
class EnvironmentSpec:
    """Observations, actions and length of an environment's episodes.

    Args:
        observation: shape of an observation.
        actions: number of discrete actions, or the box of continuous actions.
        steps: decisions after which an episode is cut.
        frames: simulated frames per decision.
        pixels: whether observations are images, uint8 `[channels, height, width]`; convolutional networks need them.
    """

    observation: tuple[int, ...]
    actions: int | Box
    steps: int
    frames: int = 1
    pixels: bool = False

    def __post_init__(self) -> None:
        """Checks the fields, and makes the shape a tuple of ints.

        Raises:
            InvalidTask: a size in `observation`, `steps`, `frames` or the number of actions is no whole number from 1.
        """
        if (
            not isinstance(self.observation, tuple | list)
            or not self.observation
            or not all(map(_positive_integer, self.observation))
        ):
            raise InvalidTask(
                f"EnvironmentSpec: expected the shape of observations, such as (4,), got {shown(self.observation)}"
            )
        object.__setattr__(self, "observation", tuple(map(int, self.observation)))
        if not isinstance(self.actions, Box) and not _positive_integer(self.actions):
            raise InvalidTask(
                f"EnvironmentSpec: expected the number of actions, or their Box, got {shown(self.actions)}"
            )
        for name in ("steps", "frames"):
            if not _positive_integer(getattr(self, name)):
                raise InvalidTask(
                    f"EnvironmentSpec: expected {name} to be a whole number from 1, got {shown(getattr(self, name))}"
                )


def _positive_integer(value: Any) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool) and int(value) > 0


@dataclass(frozen=True)
class Step:
    """Result of one decision in each of `n` slots.

    Args:
        rewards: float64 `[n]`.
        over: whether the episode is over, bool `[n]`.
        failed: what an environment raised, in one line, by index into the slots of the step; `over` is True there.
    """

    rewards: NDArray[np.float64]
    over: NDArray[np.bool_]
    failed: Mapping[int, str] = field(default_factory=dict)


class Environments(Protocol):
    """Equal environments in slots, each with its own episode.

    An episode depends on its seed and its actions alone, not on other slots or on earlier episodes.
    """

    slots: int
    observations: NDArray[Any]
    """Current observation of each slot, `[slots, *observation]`; `reset` and `step` overwrite the array in place."""

    def reset(self, slots: Slots, seeds: Sequence[int]) -> None:
        """Begins an episode in each of the given slots. Any exception means that at least one could not begin."""
        ...

    def step(self, slots: Slots, actions: NDArray[Any]) -> Step:
        """Makes one decision in each of the given slots.

        Args:
            slots: n slots whose episodes are not over.
            actions: int64 `[n]`, or for a box of d numbers float32 `[n, d]` inside it.
        """
        ...

    def behaviour(self, slots: Slots) -> NDArray[np.float64]:
        """Behaviour descriptors of the episodes in n slots, which are over: float64 `[n, b]`; b is 0 if the environment
        has none."""
        ...

    def close(self) -> None: ...
