"""The contract of environments: what a policy observes and does there, and many of them played side by side."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from germline.evaluators.errors import InvalidTask
from germline.programs.policy.network import Box

Slots = NDArray[np.int64]
"""Numbers of slots, ascending."""


@dataclass(frozen=True)
class EnvironmentSpec:
    """What a policy meets.

    Args:
        observation: the shape of what it sees.
        actions: how many there are to choose from, or the box that they lie in.
        steps: the most decisions in an episode.
        frames: what is simulated for one decision.
        pixels: whether observations are whole numbers from 0 to 255.
    """

    observation: tuple[int, ...]
    actions: int | Box
    steps: int
    frames: int = 1
    pixels: bool = False

    def __post_init__(self) -> None:
        """Raises InvalidTask where a number is none."""
        if (
            not isinstance(self.observation, tuple | list)
            or not self.observation
            or not all(map(_whole, self.observation))
        ):
            raise InvalidTask(
                f"EnvironmentSpec: expected the shape of observations, such as (4,), got {self.observation!r:.60}"
            )
        object.__setattr__(self, "observation", tuple(map(int, self.observation)))
        if not isinstance(self.actions, Box) and not _whole(self.actions):
            raise InvalidTask(
                f"EnvironmentSpec: expected how many actions there are, or their Box, got {self.actions!r:.60}"
            )
        for name in ("steps", "frames"):
            if not _whole(getattr(self, name)):
                raise InvalidTask(
                    f"EnvironmentSpec: expected {name} to be a whole number from 1, got {getattr(self, name)!r:.60}"
                )


def _whole(found: Any) -> bool:
    return isinstance(found, int | np.integer) and not isinstance(found, bool) and int(found) > 0


@dataclass(frozen=True)
class Step:
    """What a step came to: rewards and whether the episode is over, `[n]` each; `failed` tells of those that raised."""

    rewards: NDArray[np.float64]
    over: NDArray[np.bool_]
    failed: Mapping[int, str] = field(default_factory=dict)
    """By place in the row of slots: what the environment raised, in a line."""


class Environments(Protocol):
    """Environments of one kind in slots, each with an episode of its own.

    An episode follows from its seed and the actions alone, whatever is in other slots.
    """

    slots: int
    observations: NDArray[Any]
    """What is seen in each slot now, `[slots, *observation]`; the same array all along."""

    def reset(self, slots: Slots, seeds: Sequence[int]) -> None:
        """Begins an episode in each of some slots. Raises whatever the environment raises."""
        ...

    def step(self, slots: Slots, actions: NDArray[Any]) -> Step:
        """One decision in each of some slots.

        Args:
            slots: those whose episodes go on.
            actions: int64 `[n]`, or float32 `[n, d]` inside the box.
        """
        ...

    def behaviour(self, slots: Slots) -> NDArray[np.float64]:
        """What episodes did, `[n, b]`, asked for when they are over; novelty is measured in it. b may be 0."""
        ...

    def close(self) -> None: ...
