"""Pendulum-v1 of gymnasium, stepped for many at once: the same numbers to the last bit."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from germline.evaluators.policy.environments.classic import Classic
from germline.evaluators.policy.environments.environment import EnvironmentSpec, Slots
from germline.evaluators.policy.environments.seeding import uniform
from germline.programs.compiling import compiled
from germline.programs.policy.network import Box

GRAVITY, MASS, LENGTH, TAU = 10.0, 1.0, 1.0, 0.05
SPEED, TORQUE = 8.0, 2.0


@compiled()  # type: ignore[untyped-decorator]
def _decide(states: Any, seen: Any, slots: Any, actions: Any, rewards: Any, over: Any, constants: Any) -> None:
    """Squares are powers of the C library, as in gymnasium, which may differ from products in the last bit.

    So the exponent comes as an argument: a constant one would be compiled to a product.
    """
    two, single_two = constants[0], np.float32(constants[0])
    for i in range(slots.size):
        state, shown = states[slots[i]], seen[slots[i]]
        angle, turn = state[0], state[1]
        torque = min(max(actions[i, 0], np.float32(-TORQUE)), np.float32(TORQUE))
        upright = (angle + np.pi) % (2 * np.pi) - np.pi
        cost = math.pow(upright, two) + 0.1 * math.pow(turn, two)
        rewards[i] = -(cost + np.float64(np.float32(0.001) * np.float32(math.pow(torque, single_two))))
        pull = np.float64(np.float32(3.0 / (MASS * LENGTH * LENGTH)) * torque)
        turn += (3 * GRAVITY / (2 * LENGTH) * np.sin(angle) + pull) * TAU
        turn = min(max(turn, -SPEED), SPEED)
        angle += turn * TAU
        state[0], state[1] = angle, turn
        shown[0], shown[1], shown[2] = np.cos(angle), np.sin(angle), turn
        over[i] = False


class Pendulum(Classic):
    """A pendulum to be swung up and held there by a torque; what it costs is how far from there it is."""

    spec = EnvironmentSpec((3,), Box((-TORQUE,), (TORQUE,)), 200)
    size = 2
    decide = staticmethod(_decide)

    def reset(self, slots: Slots, seeds: Sequence[int]) -> None:
        self.state[slots] = uniform(seeds, (-np.pi, -1.0), (np.pi, 1.0), 2)
        angle, turn = self.state[slots].T
        self.observations[slots] = np.stack([np.cos(angle), np.sin(angle), turn], 1)
