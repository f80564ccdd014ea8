"""Acrobot-v1, stepped in many slots at once: the same numbers as in gymnasium, to the last bit."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from germline.evaluators.policy.environments.classic_control import ClassicControl
from germline.evaluators.policy.environments.environment import EnvironmentSpec, Slots
from germline.evaluators.policy.environments.seeding import uniform
from germline.programs.compiling import compiled

GRAVITY, MASS, LENGTH, CENTRE, INERTIA, TIME_STEP = 9.8, 1.0, 1.0, 0.5, 1.0, 0.2
MAX_SPEED_1, MAX_SPEED_2 = 4 * np.pi, 9 * np.pi


@compiled()  # type: ignore[untyped-decorator]
def _derivative(state: Any, time: float, slope: Any, torque: float, two: float, out: Any) -> None:
    """Writes the time derivative of a state (angles and speeds of both links) at `state + time * slope` to `out`.

    The equations are those of Sutton and Barto's book.

    Squares are powers of the C library, as in gymnasium, which may differ from products in the last bit. The exponent
    `two` is an argument because the compiler would turn a constant exponent into a product.
    """
    theta_1, theta_2 = state[0] + time * slope[0], state[1] + time * slope[1]
    speed_1, speed_2 = state[2] + time * slope[2], state[3] + time * slope[3]
    cos, sin = np.cos(theta_2), np.sin(theta_2)
    arm = MASS * LENGTH * CENTRE
    d1 = MASS * CENTRE * CENTRE + MASS * (LENGTH * LENGTH + CENTRE * CENTRE + 2 * LENGTH * CENTRE * cos)
    d1 = d1 + INERTIA + INERTIA
    d2 = MASS * (CENTRE * CENTRE + LENGTH * CENTRE * cos) + INERTIA
    phi2 = MASS * CENTRE * GRAVITY * np.cos(theta_1 + theta_2 - np.pi / 2.0)
    phi1 = (
        -arm * math.pow(speed_2, two) * sin
        - 2 * arm * speed_2 * speed_1 * sin
        + (MASS * CENTRE + MASS * LENGTH) * GRAVITY * np.cos(theta_1 - np.pi / 2)
        + phi2
    )
    acceleration_2 = (torque + d2 / d1 * phi1 - arm * math.pow(speed_1, two) * sin - phi2) / (
        MASS * CENTRE * CENTRE + INERTIA - math.pow(d2, two) / d1
    )
    out[0], out[1], out[2], out[3] = speed_1, speed_2, -(d2 * acceleration_2 + phi1) / d1, acceleration_2


@compiled()  # type: ignore[untyped-decorator]
def _step(states: Any, observations: Any, slots: Any, actions: Any, rewards: Any, over: Any, constants: Any) -> None:
    """One step of the Runge-Kutta method of order 4 in each slot; see `kernel_signature`."""
    two = constants[0]
    zero, k1, k2, k3, k4 = np.zeros(4), np.empty(4), np.empty(4), np.empty(4), np.empty(4)
    for i in range(slots.size):
        state, observation = states[slots[i]], observations[slots[i]]
        torque = actions[i] - 1.0
        _derivative(state, 0.0, zero, torque, two, k1)
        _derivative(state, TIME_STEP / 2.0, k1, torque, two, k2)
        _derivative(state, TIME_STEP / 2.0, k2, torque, two, k3)
        _derivative(state, TIME_STEP, k3, torque, two, k4)
        for j in range(4):
            state[j] += TIME_STEP / 6.0 * (k1[j] + 2 * k2[j] + 2 * k3[j] + k4[j])
        for j in range(2):
            while state[j] > np.pi:
                state[j] -= 2 * np.pi
            while state[j] < -np.pi:
                state[j] += 2 * np.pi
            observation[2 * j], observation[2 * j + 1] = np.cos(state[j]), np.sin(state[j])
        state[2] = min(max(state[2], -MAX_SPEED_1), MAX_SPEED_1)
        state[3] = min(max(state[3], -MAX_SPEED_2), MAX_SPEED_2)
        observation[4], observation[5] = state[2], state[3]
        over[i] = -np.cos(state[0]) - np.cos(state[1] + state[0]) > 1.0
        rewards[i] = 0.0 if over[i] else -1.0


class Acrobot(ClassicControl):
    """Swings up two links by a torque on the joint between them; reward -1 a step until then (Sutton 1996)."""

    spec = EnvironmentSpec((6,), 3, 500)
    state_size = 4
    kernel = staticmethod(_step)

    def reset(self, slots: Slots, seeds: Sequence[int]) -> None:
        state = uniform(seeds, -0.1, 0.1, 4).astype(np.float32)
        self.state[slots] = state
        self.observations[slots, 0:4:2], self.observations[slots, 1:4:2] = np.cos(state[:, :2]), np.sin(state[:, :2])
        self.observations[slots, 4:] = state[:, 2:]
