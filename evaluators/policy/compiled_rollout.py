"""Whole episodes of perceptrons in classic control, played by one compiled function without returning to Python.

A batch has an episode for each slot. The parameters of each episode's policy are a column; when episodes are over, the
columns of the others move together. The next batch begins when all episodes are over.
"""

from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import Any

import numpy as np
from numba import types
from numpy.typing import NDArray

from germline.evaluators.policy.environments.classic_control import (
    CONTINUOUS_ACTIONS,
    DISCRETE_ACTIONS,
    RUNTIME_CONSTANTS,
    ClassicControl,
    kernel_signature,
)
from germline.evaluators.policy.networks.perceptron_kernels import play_episodes
from germline.evaluators.policy.networks.perceptrons import PerceptronPolicies
from germline.evaluators.policy.player import Episode, EpisodeResult
from germline.programs.compiling import compiled, compiled_for
from germline.programs.policy.network import Box


def rollout_of(networks: Any, environments: Any) -> Callable[[Sequence[Episode], int], list[EpisodeResult]] | None:
    """`rollout` for these networks and environments, called with episodes and `max_steps`.

    None if the networks or the environments are not compiled, if a subclass of the environments overrides `step`, or if
    the networks have other observations or actions than the environments.
    """
    if not isinstance(networks, PerceptronPolicies) or not isinstance(environments, ClassicControl):
        return None
    network, spec = networks.network, environments.spec
    fits = (network.observation, network.actions) == (spec.observation, spec.actions)
    own_step = type(environments).step is ClassicControl.step
    return partial(rollout, networks, environments) if fits and own_step else None


def rollout(
    policies: PerceptronPolicies, environments: ClassicControl, episodes: Sequence[Episode], max_steps: int
) -> list[EpisodeResult]:
    """Results of all episodes, in their order; to the last bit the same as from `player.play`."""
    slots = environments.slots
    return [
        result
        for first in range(0, len(episodes), slots)
        for result in _play_batch(policies, environments, episodes[first : first + slots], max_steps)
    ]


def _play_batch(
    policies: PerceptronPolicies, environments: ClassicControl, episodes: Sequence[Episode], max_steps: int
) -> list[EpisodeResult]:
    """Results of the episodes, which are at most as many as there are slots."""
    count, outputs, action_space = len(episodes), policies.network.output_count, policies.network.actions
    slots, totals, lengths = np.arange(count), np.zeros(count), np.zeros(count, np.int64)
    actions: NDArray[Any]
    if isinstance(action_space, Box):
        low, high = np.array(action_space.low), np.array(action_space.high)
        actions = np.empty((count, outputs), np.float32)
    else:
        low, high, actions = np.empty(0), np.empty(0), np.empty(count, np.int64)
    environments.reset(slots, [episode.seed for episode in episodes])
    _compiled_play_episodes(isinstance(action_space, Box))(
        environments.compiled_kernel, environments.state, environments.observations, RUNTIME_CONSTANTS,
        *policies.kernel_arguments(np.array([episode.policy for episode in episodes])),
        actions, low, high, np.empty((count, outputs), np.float32), totals, lengths, max_steps,
    )  # fmt: skip
    rows = zip(totals.tolist(), lengths.tolist(), environments.behaviour(slots).tolist(), strict=True)
    return [EpisodeResult(total, length, tuple(behaviour)) for total, length, behaviour in rows]


@cache
def _compiled_play_episodes(continuous: bool) -> Any:
    """`play_episodes`, compiled once for continuous and once for discrete actions, whatever the environment."""
    actions = CONTINUOUS_ACTIONS if continuous else DISCRETE_ACTIONS
    doubles, singles = types.float64[:, ::1], types.float32[:, ::1]
    double_row, integer_row = types.float64[::1], types.int64[::1]
    return compiled_for(
        compiled(error_model="numpy")(play_episodes),
        types.void(
            types.FunctionType(kernel_signature(actions)), doubles, singles, double_row,
            singles, integer_row, double_row, double_row, types.float64, types.int64[:, ::1], types.int64,
            double_row, double_row, integer_row,
            actions, double_row, double_row, singles, double_row, integer_row, types.int64,
        ),
    )  # fmt: skip
