"""CartPole-v1, stepped in many slots at once: the same numbers as in gymnasium, to the last bit."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from germline.evaluators.policy.environments.classic_control import ClassicControl
from germline.evaluators.policy.environments.environment import EnvironmentSpec, Slots
from germline.evaluators.policy.environments.seeding import uniform
from germline.programs.compiling import compiled

GRAVITY, CART_MASS, POLE_MASS, HALF_LENGTH, FORCE, TIME_STEP = 9.8, 1.0, 0.1, 0.5, 10.0, 0.02
MAX_ANGLE, MAX_POSITION = 12 * 2 * np.pi / 360, 2.4
"""An episode is over when the pole or the cart is beyond these, in radians and metres."""


@compiled()  # type: ignore[untyped-decorator]
def _step(states: Any, observations: Any, slots: Any, actions: Any, rewards: Any, over: Any, constants: Any) -> None:
    for i in range(slots.size):
        state, observation = states[slots[i]], observations[slots[i]]
        x, x_dot, theta, theta_dot = state[0], state[1], state[2], state[3]
        force = FORCE if actions[i] == 1 else -FORCE
        cos, sin = np.cos(theta), np.sin(theta)
        mass, moment = POLE_MASS + CART_MASS, POLE_MASS * HALF_LENGTH
        pushed = (force + moment * (theta_dot * theta_dot) * sin) / mass
        theta_acceleration = (GRAVITY * sin - cos * pushed) / (
            HALF_LENGTH * (4.0 / 3.0 - POLE_MASS * (cos * cos) / mass)
        )
        x_acceleration = pushed - moment * theta_acceleration * cos / mass
        state[0], state[1] = x + TIME_STEP * x_dot, x_dot + TIME_STEP * x_acceleration
        state[2], state[3] = theta + TIME_STEP * theta_dot, theta_dot + TIME_STEP * theta_acceleration
        observation[0], observation[1], observation[2], observation[3] = state[0], state[1], state[2], state[3]
        rewards[i] = 1.0
        over[i] = abs(state[0]) > MAX_POSITION or abs(state[2]) > MAX_ANGLE


class CartPole(ClassicControl):
    """Balances a pole on a cart by pushing it left or right; reward 1 a step (Barto, Sutton and Anderson 1983)."""

    spec = EnvironmentSpec((4,), 2, 500)
    state_size = 4
    kernel = staticmethod(_step)

    def reset(self, slots: Slots, seeds: Sequence[int]) -> None:
        self.state[slots] = self.observations[slots] = uniform(seeds, -0.05, 0.05, 4)
