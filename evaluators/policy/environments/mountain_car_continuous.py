"""MountainCarContinuous-v0 of gymnasium, stepped for many at once: the same numbers to the last bit."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from germline.evaluators.policy.environments.classic import Classic
from germline.evaluators.policy.environments.environment import EnvironmentSpec, Slots
from germline.evaluators.policy.environments.seeding import uniform
from germline.programs.compiling import compiled
from germline.programs.policy.network import Box

POWER, GRAVITY, SPEED = 0.0015, 0.0025, 0.07
LEFT, RIGHT, GOAL = -1.2, 0.6, 0.45


@compiled()  # type: ignore[untyped-decorator]
def _decide(starts: Any, seen: Any, slots: Any, actions: Any, rewards: Any, over: Any, constants: Any) -> None:
    single = np.float32
    fastest, left, right = single(SPEED), single(LEFT), single(RIGHT)
    for i in range(slots.size):
        state, start = seen[slots[i]], starts[slots[i], 0]
        push = min(max(actions[i, 0], single(-1.0)), single(1.0)) * single(POWER)
        if np.isnan(start):
            speed = state[1] + single(push - single(GRAVITY * np.cos(np.float64(single(3.0) * state[0]))))
            speed = min(max(speed, -fastest), fastest)
            position = min(max(single(state[0] + speed), left), right)
        else:  # far from every bound
            pace = np.float64(single(push - single(GRAVITY * np.cos(3.0 * start))))
            position, speed = single(start + pace), single(pace)
            starts[slots[i], 0] = np.nan
        if position == left and speed < 0.0:
            speed = single(0.0)
        state[0], state[1] = position, speed
        over[i] = position >= single(GOAL) and speed >= 0.0
        effort = np.float64(actions[i, 0])
        rewards[i] = (100.0 if over[i] else 0.0) - effort * effort * 0.1


class MountainCarContinuous(Classic):
    """A car too weak for its hill is pushed as hard as one likes; 100 at the top, less the effort (Moore 1990).

    Its state begins in double precision and is rounded to float32 by the first step, as gymnasium's is: so what is
    seen is the state, and beside it there is only where an episode begins, or NaN once it has gone on.
    """

    spec = EnvironmentSpec((2,), Box((-1.0,), (1.0,)), 999)
    size = 1
    decide = staticmethod(_decide)

    def reset(self, slots: Slots, seeds: Sequence[int]) -> None:
        self.state[slots] = self.observations[slots, :1] = uniform(seeds, -0.6, -0.4, 1)
        self.observations[slots, 1] = 0.0

    def behaviour(self, slots: Slots) -> NDArray[np.float64]:
        return self.observations[slots].astype(np.float64)
