"""MountainCar-v0, stepped in many slots at once: the same numbers as in gymnasium, to the last bit."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from germline.evaluators.policy.environments.classic_control import ClassicControl
from germline.evaluators.policy.environments.environment import EnvironmentSpec, Slots
from germline.evaluators.policy.environments.seeding import uniform
from germline.programs.compiling import compiled

FORCE, GRAVITY, MAX_SPEED = 0.001, 0.0025, 0.07
MIN_POSITION, MAX_POSITION, GOAL = -1.2, 0.6, 0.5


@compiled()  # type: ignore[untyped-decorator]
def _step(states: Any, observations: Any, slots: Any, actions: Any, rewards: Any, over: Any, constants: Any) -> None:
    for i in range(slots.size):
        state, observation = states[slots[i]], observations[slots[i]]
        position, velocity = state[0], state[1]
        velocity += (actions[i] - 1) * FORCE + np.cos(3 * position) * (-GRAVITY)
        velocity = min(max(velocity, -MAX_SPEED), MAX_SPEED)
        position = min(max(position + velocity, MIN_POSITION), MAX_POSITION)
        if position == MIN_POSITION and velocity < 0.0:
            velocity = 0.0
        state[0], state[1] = position, velocity
        observation[0], observation[1] = position, velocity
        rewards[i] = -1.0
        over[i] = position >= GOAL and velocity >= 0.0


class MountainCar(ClassicControl):
    """A car too weak for its hill has to reach the top; an action pushes it left, not at all or right; reward -1 a step
    (Moore 1990)."""

    spec = EnvironmentSpec((2,), 3, 200)
    state_size = 2
    kernel = staticmethod(_step)

    def reset(self, slots: Slots, seeds: Sequence[int]) -> None:
        self.state[slots, :1] = uniform(seeds, -0.6, -0.4, 1)
        self.state[slots, 1] = 0.0
        self.observations[slots] = self.state[slots]
