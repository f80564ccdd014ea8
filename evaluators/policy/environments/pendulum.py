"""Pendulum-v1, stepped in many slots at once: the same numbers as in gymnasium, to the last bit."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from germline.evaluators.policy.environments.classic_control import ClassicControl
from germline.evaluators.policy.environments.environment import EnvironmentSpec, Slots
from germline.evaluators.policy.environments.seeding import uniform
from germline.programs.compiling import compiled
from germline.programs.policy.network import Box

GRAVITY, MASS, LENGTH, TIME_STEP = 10.0, 1.0, 1.0, 0.05
MAX_SPEED, MAX_TORQUE = 8.0, 2.0


@compiled()  # type: ignore[untyped-decorator]
def _step(states: Any, observations: Any, slots: Any, actions: Any, rewards: Any, over: Any, constants: Any) -> None:
    """One step in each slot; see `kernel_signature`.

    Squares are powers of the C library, as in gymnasium, which may differ from products in the last bit. Their exponent
    is an argument because the compiler would turn a constant exponent into a product.
    """
    two, single_two = constants[0], np.float32(constants[0])
    for i in range(slots.size):
        state, observation = states[slots[i]], observations[slots[i]]
        theta, theta_dot = state[0], state[1]
        torque = min(max(actions[i, 0], np.float32(-MAX_TORQUE)), np.float32(MAX_TORQUE))
        from_upright = (theta + np.pi) % (2 * np.pi) - np.pi
        cost = math.pow(from_upright, two) + 0.1 * math.pow(theta_dot, two)
        rewards[i] = -(cost + np.float64(np.float32(0.001) * np.float32(math.pow(torque, single_two))))
        pull = np.float64(np.float32(3.0 / (MASS * LENGTH * LENGTH)) * torque)
        theta_dot += (3 * GRAVITY / (2 * LENGTH) * np.sin(theta) + pull) * TIME_STEP
        theta_dot = min(max(theta_dot, -MAX_SPEED), MAX_SPEED)
        theta += theta_dot * TIME_STEP
        state[0], state[1] = theta, theta_dot
        observation[0], observation[1], observation[2] = np.cos(theta), np.sin(theta), theta_dot
        over[i] = False


class Pendulum(ClassicControl):
    """Swings up a pendulum by a torque and holds it; the reward is minus a weighted sum of the squared
    angle, speed and torque."""

    spec = EnvironmentSpec((3,), Box((-MAX_TORQUE,), (MAX_TORQUE,)), 200)
    state_size = 2
    kernel = staticmethod(_step)

    def reset(self, slots: Slots, seeds: Sequence[int]) -> None:
        self.state[slots] = uniform(seeds, (-np.pi, -1.0), (np.pi, 1.0), 2)
        theta, theta_dot = self.state[slots].T
        self.observations[slots] = np.stack([np.cos(theta), np.sin(theta), theta_dot], 1)
