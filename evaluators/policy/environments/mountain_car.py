"""MountainCar-v0 of gymnasium, stepped for many at once: the same numbers to the last bit."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from germline.evaluators.policy.environments.classic import Classic
from germline.evaluators.policy.environments.environment import EnvironmentSpec, Slots
from germline.evaluators.policy.environments.seeding import uniform
from germline.programs.compiling import compiled

FORCE, GRAVITY, SPEED = 0.001, 0.0025, 0.07
LEFT, RIGHT, GOAL = -1.2, 0.6, 0.5


@compiled()  # type: ignore[untyped-decorator]
def _decide(states: Any, seen: Any, slots: Any, actions: Any, rewards: Any, over: Any, constants: Any) -> None:
    for i in range(slots.size):
        state, shown = states[slots[i]], seen[slots[i]]
        position, speed = state[0], state[1]
        speed += (actions[i] - 1) * FORCE + np.cos(3 * position) * (-GRAVITY)
        speed = min(max(speed, -SPEED), SPEED)
        position = min(max(position + speed, LEFT), RIGHT)
        if position == LEFT and speed < 0.0:
            speed = 0.0
        state[0], state[1] = position, speed
        shown[0], shown[1] = position, speed
        rewards[i] = -1.0
        over[i] = position >= GOAL and speed >= 0.0


class MountainCar(Classic):
    """A car too weak for its hill is pushed left, not, or right; -1 for each step to the top (Moore 1990)."""

    spec = EnvironmentSpec((2,), 3, 200)
    size = 2
    decide = staticmethod(_decide)

    def reset(self, slots: Slots, seeds: Sequence[int]) -> None:
        self.state[slots, :1] = uniform(seeds, -0.6, -0.4, 1)
        self.state[slots, 1] = 0.0
        self.observations[slots] = self.state[slots]
