"""Pendulum-v1 of gymnasium, stepped for many at once: the same numbers to the last bit."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from germline.evaluators.environments.seeding import uniform
from germline.evaluators.policy_task import Slots, Step, World
from germline.programs.compiling import compiled
from germline.programs.policy.network import Box

GRAVITY, MASS, LENGTH, TAU = 10.0, 1.0, 1.0, 0.05
SPEED, TORQUE = 8.0, 2.0

WORLD = World((3,), Box((-TORQUE,), (TORQUE,)), 200)


class Pendulum:
    """A pendulum to be swung up and held there by a torque; what it costs is how far from there it is."""

    def __init__(self, slots: int) -> None:
        self.slots = slots
        self.state = np.zeros((slots, 2))
        self.observations = np.zeros((slots, 3), np.float32)

    def reset(self, slots: Slots, seeds: Sequence[int]) -> None:
        self.state[slots] = uniform(seeds, (-np.pi, -1.0), (np.pi, 1.0), 2)
        angle, turn = self.state[slots].T
        self.observations[slots] = np.stack([np.cos(angle), np.sin(angle), turn], 1)

    def step(self, slots: Slots, actions: NDArray[np.float32]) -> Step:
        rewards = np.empty(len(slots))
        _step(self.state, self.observations, slots, actions, rewards, 2.0, np.float32(2.0))
        return Step(rewards, np.zeros(len(slots), np.bool_))

    def behaviour(self, slots: Slots) -> NDArray[np.float64]:
        """The last angle and how fast it turns."""
        return self.state[slots]

    def close(self) -> None:
        return


@compiled()  # type: ignore[untyped-decorator]
def _step(states: Any, observations: Any, slots: Any, actions: Any, rewards: Any, two: Any, single_two: Any) -> None:
    """Squares are powers of the C library, as in gymnasium, which may differ from products in the last bit.

    So the exponents come as arguments, in double and in single precision: constant ones would be compiled to products.
    """
    for i in range(slots.size):
        state, seen = states[slots[i]], observations[slots[i]]
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
        seen[0], seen[1], seen[2] = np.cos(angle), np.sin(angle), turn
