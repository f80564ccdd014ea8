"""MountainCarContinuous-v0 of gymnasium, stepped for many at once: the same numbers to the last bit."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from germline.evaluators.environments.seeding import uniform
from germline.evaluators.policy_task import Slots, Step, World
from germline.programs.compiling import compiled
from germline.programs.policy.network import Box

POWER, GRAVITY, SPEED = 0.0015, 0.0025, 0.07
LEFT, RIGHT, GOAL = -1.2, 0.6, 0.45

WORLD = World((2,), Box((-1.0,), (1.0,)), 999)


class MountainCarContinuous:
    """A car too weak for its hill is pushed as hard as one likes; 100 at the top, less the effort (Moore 1990).

    Its state begins in double precision and is rounded to float32 by the first step, as gymnasium's is.
    """

    def __init__(self, slots: int) -> None:
        self.slots = slots
        self.starts = np.zeros(slots)
        """Where an episode begins; NaN once it has gone on."""
        self.observations = np.zeros((slots, 2), np.float32)

    def reset(self, slots: Slots, seeds: Sequence[int]) -> None:
        self.starts[slots] = self.observations[slots, 0] = uniform(seeds, -0.6, -0.4, 1)[:, 0]
        self.observations[slots, 1] = 0.0

    def step(self, slots: Slots, actions: NDArray[np.float32]) -> Step:
        rewards, over = np.empty(len(slots)), np.empty(len(slots), np.bool_)
        _step(self.starts, self.observations, slots, actions, rewards, over)
        return Step(rewards, over)

    def behaviour(self, slots: Slots) -> NDArray[np.float64]:
        """The last state."""
        return self.observations[slots].astype(np.float64)

    def close(self) -> None:
        return


@compiled()  # type: ignore[untyped-decorator]
def _step(starts: Any, observations: Any, slots: Any, actions: Any, rewards: Any, over: Any) -> None:
    single = np.float32
    fastest, left, right = single(SPEED), single(LEFT), single(RIGHT)
    for i in range(slots.size):
        state, start = observations[slots[i]], starts[slots[i]]
        push = min(max(actions[i, 0], single(-1.0)), single(1.0)) * single(POWER)
        if np.isnan(start):
            speed = state[1] + single(push - single(GRAVITY * np.cos(np.float64(single(3.0) * state[0]))))
            speed = min(max(speed, -fastest), fastest)
            position = min(max(single(state[0] + speed), left), right)
        else:  # far from every bound
            pace = np.float64(single(push - single(GRAVITY * np.cos(3.0 * start))))
            position, speed = single(start + pace), single(pace)
            starts[slots[i]] = np.nan
        if position == left and speed < 0.0:
            speed = single(0.0)
        state[0], state[1] = position, speed
        over[i] = position >= single(GOAL) and speed >= 0.0
        effort = np.float64(actions[i, 0])
        rewards[i] = (100.0 if over[i] else 0.0) - effort * effort * 0.1
