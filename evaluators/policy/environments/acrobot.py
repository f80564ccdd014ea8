"""Acrobot-v1 of gymnasium, stepped for many at once: the same numbers to the last bit."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from germline.evaluators.policy.environments.classic import Classic
from germline.evaluators.policy.environments.environment import EnvironmentSpec, Slots
from germline.evaluators.policy.environments.seeding import uniform
from germline.programs.compiling import compiled

GRAVITY, MASS, LENGTH, CENTRE, INERTIA, TAU = 9.8, 1.0, 1.0, 0.5, 1.0, 0.2
FASTEST, OTHER_FASTEST = 4 * np.pi, 9 * np.pi


@compiled()  # type: ignore[untyped-decorator]
def _slope(state: Any, ahead: float, before: Any, torque: float, two: float, out: Any) -> None:
    """How fast `state + ahead * before` changes, by the equations of Sutton and Barto's book.

    Squares are powers of the C library, as in gymnasium, which may differ from products in the last bit; a constant
    exponent would be compiled to a product.
    """
    angle, other = state[0] + ahead * before[0], state[1] + ahead * before[1]
    turn, other_turn = state[2] + ahead * before[2], state[3] + ahead * before[3]
    cos, sin = np.cos(other), np.sin(other)
    arm = MASS * LENGTH * CENTRE
    d1 = MASS * CENTRE * CENTRE + MASS * (LENGTH * LENGTH + CENTRE * CENTRE + 2 * LENGTH * CENTRE * cos)
    d1 = d1 + INERTIA + INERTIA
    d2 = MASS * (CENTRE * CENTRE + LENGTH * CENTRE * cos) + INERTIA
    phi2 = MASS * CENTRE * GRAVITY * np.cos(angle + other - np.pi / 2.0)
    phi1 = (
        -arm * math.pow(other_turn, two) * sin
        - 2 * arm * other_turn * turn * sin
        + (MASS * CENTRE + MASS * LENGTH) * GRAVITY * np.cos(angle - np.pi / 2)
        + phi2
    )
    change = (torque + d2 / d1 * phi1 - arm * math.pow(turn, two) * sin - phi2) / (
        MASS * CENTRE * CENTRE + INERTIA - math.pow(d2, two) / d1
    )
    out[0], out[1], out[2], out[3] = turn, other_turn, -(d2 * change + phi1) / d1, change


@compiled()  # type: ignore[untyped-decorator]
def _decide(states: Any, seen: Any, slots: Any, actions: Any, rewards: Any, over: Any, constants: Any) -> None:
    """One step of Runge-Kutta's method, of order 4."""
    two = constants[0]
    still, k1, k2, k3, k4 = np.zeros(4), np.empty(4), np.empty(4), np.empty(4), np.empty(4)
    for i in range(slots.size):
        state, shown = states[slots[i]], seen[slots[i]]
        torque = actions[i] - 1.0
        _slope(state, 0.0, still, torque, two, k1)
        _slope(state, TAU / 2.0, k1, torque, two, k2)
        _slope(state, TAU / 2.0, k2, torque, two, k3)
        _slope(state, TAU, k3, torque, two, k4)
        for j in range(4):
            state[j] += TAU / 6.0 * (k1[j] + 2 * k2[j] + 2 * k3[j] + k4[j])
        for j in range(2):
            while state[j] > np.pi:
                state[j] -= 2 * np.pi
            while state[j] < -np.pi:
                state[j] += 2 * np.pi
            shown[2 * j], shown[2 * j + 1] = np.cos(state[j]), np.sin(state[j])
        state[2] = min(max(state[2], -FASTEST), FASTEST)
        state[3] = min(max(state[3], -OTHER_FASTEST), OTHER_FASTEST)
        shown[4], shown[5] = state[2], state[3]
        over[i] = -np.cos(state[0]) - np.cos(state[1] + state[0]) > 1.0
        rewards[i] = 0.0 if over[i] else -1.0


class Acrobot(Classic):
    """Two links, the joint between them driven, to be swung up; -1 for each step until then (Sutton 1996)."""

    spec = EnvironmentSpec((6,), 3, 500)
    size = 4
    decide = staticmethod(_decide)

    def reset(self, slots: Slots, seeds: Sequence[int]) -> None:
        state = uniform(seeds, -0.1, 0.1, 4).astype(np.float32)
        self.state[slots] = state
        self.observations[slots, 0:4:2], self.observations[slots, 1:4:2] = np.cos(state[:, :2]), np.sin(state[:, :2])
        self.observations[slots, 4:] = state[:, 2:]
