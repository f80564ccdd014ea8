"""MountainCarContinuous-v0, stepped in many slots at once: the same numbers as in gymnasium, to the last bit."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from germline.evaluators.policy.environments.classic_control import ClassicControl
from germline.evaluators.policy.environments.environment import EnvironmentSpec, Slots
from germline.evaluators.policy.environments.seeding import uniform
from germline.programs.compiling import compiled
from germline.programs.policy.network import Box

POWER, GRAVITY, MAX_SPEED = 0.0015, 0.0025, 0.07
MIN_POSITION, MAX_POSITION, GOAL = -1.2, 0.6, 0.45


@compiled()  # type: ignore[untyped-decorator]
def _step(
    initial_positions: Any, observations: Any, slots: Any, actions: Any, rewards: Any, over: Any, constants: Any
) -> None:
    single = np.float32
    fastest, left, right = single(MAX_SPEED), single(MIN_POSITION), single(MAX_POSITION)
    for i in range(slots.size):
        state, initial = observations[slots[i]], initial_positions[slots[i], 0]
        push = min(max(actions[i, 0], single(-1.0)), single(1.0)) * single(POWER)
        if np.isnan(initial):
            velocity = state[1] + single(push - single(GRAVITY * np.cos(np.float64(single(3.0) * state[0]))))
            velocity = min(max(velocity, -fastest), fastest)
            position = min(max(single(state[0] + velocity), left), right)
        else:  # the first step, too far from all bounds to be clipped
            first_velocity = np.float64(single(push - single(GRAVITY * np.cos(3.0 * initial))))
            position, velocity = single(initial + first_velocity), single(first_velocity)
            initial_positions[slots[i], 0] = np.nan
        if position == left and velocity < 0.0:
            velocity = single(0.0)
        state[0], state[1] = position, velocity
        over[i] = position >= single(GOAL) and velocity >= 0.0
        action = np.float64(actions[i, 0])
        rewards[i] = (100.0 if over[i] else 0.0) - action * action * 0.1


class MountainCarContinuous(ClassicControl):
    """A car too weak for its hill has to reach the top; an action is a continuous push. The reward is 100 at the top,
    less a tenth of the squared push at each step (Moore 1990).

    As in gymnasium the initial position is a double and every later state is float32. So the state is the observation,
    and `state` holds only the initial position of an episode, or NaN after the first step.
    """

    spec = EnvironmentSpec((2,), Box((-1.0,), (1.0,)), 999)
    state_size = 1
    kernel = staticmethod(_step)

    def reset(self, slots: Slots, seeds: Sequence[int]) -> None:
        self.state[slots] = self.observations[slots, :1] = uniform(seeds, -0.6, -0.4, 1)
        self.observations[slots, 1] = 0.0

    def behaviour(self, slots: Slots) -> NDArray[np.float64]:
        return self.observations[slots].astype(np.float64)
