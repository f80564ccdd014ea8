"""CartPole-v1 of gymnasium, stepped for many at once: the same numbers to the last bit."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from germline.evaluators.environments.seeding import generator
from germline.evaluators.policy_task import Slots, Step, World

GRAVITY, CART, POLE, LENGTH, FORCE, TAU = 9.8, 1.0, 0.1, 0.5, 10.0, 0.02
ANGLE, POSITION = 12 * 2 * np.pi / 360, 2.4

WORLD = World((4,), 2, 500)


class CartPole:
    """A pole on a cart that is pushed left or right; 1 for each step (Barto, Sutton and Anderson 1983)."""

    def __init__(self, slots: int) -> None:
        self.slots = slots
        self.state = np.zeros((slots, 4))
        self.observations = np.zeros((slots, 4), np.float32)

    def reset(self, slots: Slots, seeds: Sequence[int]) -> None:
        for slot, seed in zip(slots, seeds, strict=True):
            self.state[slot] = generator(seed).uniform(-0.05, 0.05, 4)
        self.observations[slots] = self.state[slots]

    def step(self, slots: Slots, actions: NDArray[np.int64]) -> Step:
        x, speed, angle, turn = self.state[slots].T
        force = np.where(actions == 1, FORCE, -FORCE)
        cos, sin = np.cos(angle), np.sin(angle)
        total = POLE + CART
        moment = POLE * LENGTH
        pushed = (force + moment * np.square(turn) * sin) / total
        turning = (GRAVITY * sin - cos * pushed) / (LENGTH * (4.0 / 3.0 - POLE * np.square(cos) / total))
        pace = pushed - moment * turning * cos / total
        x, speed, angle, turn = x + TAU * speed, speed + TAU * pace, angle + TAU * turn, turn + TAU * turning
        state = np.stack([x, speed, angle, turn], 1)
        self.state[slots] = state
        self.observations[slots] = state
        over = (x < -POSITION) | (x > POSITION) | (angle < -ANGLE) | (angle > ANGLE)
        return Step(np.ones(len(slots)), over)

    def behaviour(self, slots: Slots) -> NDArray[np.float64]:
        """The last state."""
        return self.state[slots]

    def close(self) -> None:
        return
