"""CartPole-v1 of gymnasium, stepped for many at once: the same numbers to the last bit."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from germline.evaluators.environments.seeding import uniform
from germline.evaluators.policy_task import Slots, Step, World
from germline.programs.compiling import compiled

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
        self.state[slots] = self.observations[slots] = uniform(seeds, -0.05, 0.05, 4)

    def step(self, slots: Slots, actions: NDArray[np.int64]) -> Step:
        over = np.empty(len(slots), np.bool_)
        _step(self.state, self.observations, slots, actions, over)
        return Step(np.ones(len(slots)), over)

    def behaviour(self, slots: Slots) -> NDArray[np.float64]:
        """The last state."""
        return self.state[slots]

    def close(self) -> None:
        return


@compiled()  # type: ignore[untyped-decorator]
def _step(states: Any, observations: Any, slots: Any, actions: Any, over: Any) -> None:
    for i in range(slots.size):
        state, seen = states[slots[i]], observations[slots[i]]
        x, speed, angle, turn = state[0], state[1], state[2], state[3]
        force = FORCE if actions[i] == 1 else -FORCE
        cos, sin = np.cos(angle), np.sin(angle)
        total, moment = POLE + CART, POLE * LENGTH
        pushed = (force + moment * (turn * turn) * sin) / total
        turning = (GRAVITY * sin - cos * pushed) / (LENGTH * (4.0 / 3.0 - POLE * (cos * cos) / total))
        pace = pushed - moment * turning * cos / total
        state[0], state[1] = x + TAU * speed, speed + TAU * pace
        state[2], state[3] = angle + TAU * turn, turn + TAU * turning
        seen[0], seen[1], seen[2], seen[3] = state[0], state[1], state[2], state[3]
        over[i] = abs(state[0]) > POSITION or abs(state[2]) > ANGLE
