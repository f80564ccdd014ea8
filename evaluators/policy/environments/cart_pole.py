"""CartPole-v1 of gymnasium, stepped for many at once: the same numbers to the last bit."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from germline.evaluators.policy.environments.classic import Classic
from germline.evaluators.policy.environments.environment import EnvironmentSpec, Slots
from germline.evaluators.policy.environments.seeding import uniform
from germline.programs.compiling import compiled

GRAVITY, CART, POLE, LENGTH, FORCE, TAU = 9.8, 1.0, 0.1, 0.5, 10.0, 0.02
ANGLE, POSITION = 12 * 2 * np.pi / 360, 2.4


@compiled()  # type: ignore[untyped-decorator]
def _decide(states: Any, seen: Any, slots: Any, actions: Any, rewards: Any, over: Any, constants: Any) -> None:
    for i in range(slots.size):
        state, shown = states[slots[i]], seen[slots[i]]
        x, speed, angle, turn = state[0], state[1], state[2], state[3]
        force = FORCE if actions[i] == 1 else -FORCE
        cos, sin = np.cos(angle), np.sin(angle)
        total, moment = POLE + CART, POLE * LENGTH
        pushed = (force + moment * (turn * turn) * sin) / total
        turning = (GRAVITY * sin - cos * pushed) / (LENGTH * (4.0 / 3.0 - POLE * (cos * cos) / total))
        pace = pushed - moment * turning * cos / total
        state[0], state[1] = x + TAU * speed, speed + TAU * pace
        state[2], state[3] = angle + TAU * turn, turn + TAU * turning
        shown[0], shown[1], shown[2], shown[3] = state[0], state[1], state[2], state[3]
        rewards[i] = 1.0
        over[i] = abs(state[0]) > POSITION or abs(state[2]) > ANGLE


class CartPole(Classic):
    """A pole on a cart that is pushed left or right; 1 for each step (Barto, Sutton and Anderson 1983)."""

    spec = EnvironmentSpec((4,), 2, 500)
    size = 4
    decide = staticmethod(_decide)

    def reset(self, slots: Slots, seeds: Sequence[int]) -> None:
        self.state[slots] = self.observations[slots] = uniform(seeds, -0.05, 0.05, 4)
