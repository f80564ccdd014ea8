"""Whole episodes of perceptrons in classic control, compiled: no return to Python before all of them are over.

Side by side go as many episodes as there are slots, each in a column with the parameters of its policy. As episodes
end, the columns of the others move together.
"""

from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import Any

import numpy as np
from numba import types
from numpy.typing import NDArray

from germline.evaluators.policy.environments.classic import CHOICES, CONSTANTS, EFFORTS, Classic, signature
from germline.evaluators.policy.networks.perceptron_kernels import episodes
from germline.evaluators.policy.networks.perceptrons import PerceptronPolicies
from germline.evaluators.policy.player import Episode, Played
from germline.programs.compiling import compiled, compiled_for
from germline.programs.policy.network import Box


def rollout_of(networks: Any, environments: Any) -> Callable[[Sequence[Episode], int], list[Played]] | None:
    """`rollout` of these; None if not all of it is compiled, as where a subclass has a `step` of its own, or if the
    networks are for another world."""
    if not isinstance(networks, PerceptronPolicies) or not isinstance(environments, Classic):
        return None
    network, spec = networks.network, environments.spec
    fits = (network.observation, network.actions) == (spec.observation, spec.actions)
    return partial(rollout, networks, environments) if fits and type(environments).step is Classic.step else None


def rollout(policies: PerceptronPolicies, environments: Classic, asked: Sequence[Episode], steps: int) -> list[Played]:
    """What `play` gives, to the last bit."""
    size = environments.slots
    return [
        one
        for first in range(0, len(asked), size)
        for one in _side_by_side(policies, environments, asked[first : first + size], steps)
    ]


def _side_by_side(
    policies: PerceptronPolicies, environments: Classic, asked: Sequence[Episode], steps: int
) -> list[Played]:
    """At most as many as there are slots."""
    count, outputs, box = len(asked), policies.network.outputs, policies.network.actions
    slots, totals, lengths = np.arange(count), np.zeros(count), np.zeros(count, np.int64)
    actions: NDArray[Any]
    if isinstance(box, Box):
        low, high, actions = np.array(box.low), np.array(box.high), np.empty((count, outputs), np.float32)
    else:
        low, high, actions = np.empty(0), np.empty(0), np.empty(count, np.int64)
    environments.reset(slots, [one.seed for one in asked])
    _ready(isinstance(box, Box))(
        environments.kernel, environments.state, environments.observations, CONSTANTS,
        *policies.taking_turns(np.array([one.policy for one in asked])),
        actions, low, high, np.empty((count, outputs), np.float32), totals, lengths, steps,
    )  # fmt: skip
    found = zip(totals.tolist(), lengths.tolist(), environments.behaviour(slots).tolist(), strict=True)
    return [Played(total, length, tuple(behaviour)) for total, length, behaviour in found]


@cache
def _ready(box: bool) -> Any:
    """`rollout`'s kernel, for actions of a box or for a choice, whatever the environment."""
    actions = EFFORTS if box else CHOICES
    doubles, singles = types.float64[:, ::1], types.float32[:, ::1]
    row, wholes = types.float64[::1], types.int64[::1]
    return compiled_for(
        compiled(error_model="numpy")(episodes),
        types.void(
            types.FunctionType(signature(actions)), doubles, singles, row,
            singles, wholes, row, row, types.float64, types.int64[:, ::1], types.int64, row, row, wholes,
            actions, row, row, singles, row, wholes, types.int64,
        ),
    )  # fmt: skip
