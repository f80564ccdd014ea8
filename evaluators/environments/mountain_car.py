"""MountainCar-v0 of gymnasium, stepped for many at once: the same numbers to the last bit."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from germline.evaluators.environments.seeding import uniform
from germline.evaluators.policy_task import Slots, Step, World
from germline.programs.compiling import compiled

FORCE, GRAVITY, SPEED = 0.001, 0.0025, 0.07
LEFT, RIGHT, GOAL = -1.2, 0.6, 0.5

WORLD = World((2,), 3, 200)


class MountainCar:
    """A car too weak for its hill is pushed left, not, or right; -1 for each step to the top (Moore 1990)."""

    def __init__(self, slots: int) -> None:
        self.slots = slots
        self.state = np.zeros((slots, 2))
        self.observations = np.zeros((slots, 2), np.float32)

    def reset(self, slots: Slots, seeds: Sequence[int]) -> None:
        self.state[slots, :1] = uniform(seeds, -0.6, -0.4, 1)
        self.state[slots, 1] = 0.0
        self.observations[slots] = self.state[slots]

    def step(self, slots: Slots, actions: NDArray[np.int64]) -> Step:
        over = np.empty(len(slots), np.bool_)
        _step(self.state, self.observations, slots, actions, over)
        return Step(np.full(len(slots), -1.0), over)

    def behaviour(self, slots: Slots) -> NDArray[np.float64]:
        """The last state."""
        return self.state[slots]

    def close(self) -> None:
        return


@compiled()  # type: ignore[untyped-decorator]
def _step(states: Any, observations: Any, slots: Any, actions: Any, over: Any) -> None:
    for i in range(slots.size):
        state, seen = states[slots[i]], observations[slots[i]]
        position, speed = state[0], state[1]
        speed += (actions[i] - 1) * FORCE + np.cos(3 * position) * (-GRAVITY)
        speed = min(max(speed, -SPEED), SPEED)
        position = min(max(position + speed, LEFT), RIGHT)
        if position == LEFT and speed < 0.0:
            speed = 0.0
        state[0], state[1] = position, speed
        seen[0], seen[1] = position, speed
        over[i] = position >= GOAL and speed >= 0.0
