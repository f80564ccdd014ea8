"""Whole episodes of perceptrons in classic control, compiled: no return to Python before all of them are over.

Side by side go as many episodes as there are slots, each in a column with the parameters of its policy. As episodes
end, the columns of the others move together.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
from numba import types
from numpy.typing import NDArray

from germline.evaluators.environments.classic import CHOICES, CONSTANTS, EFFORTS, Classic, signature
from germline.evaluators.policies.perceptron_kernels import perceptrons
from germline.evaluators.policies.perceptrons import VECTOR, PerceptronPolicies
from germline.evaluators.policies.play import Episode, Played
from germline.programs.compiling import compiled
from germline.programs.policy.network import Box


def rollout(
    policies: PerceptronPolicies, environments: Classic, episodes: Sequence[Episode], steps: int
) -> list[Played]:
    """What `play` gives, to the last bit."""
    size = environments.slots
    return [
        one
        for first in range(0, len(episodes), size)
        for one in _side_by_side(policies, environments, episodes[first : first + size], steps)
    ]


def _side_by_side(
    policies: PerceptronPolicies, environments: Classic, episodes: Sequence[Episode], steps: int
) -> list[Played]:
    """At most as many as there are slots."""
    count, outputs, box = len(episodes), policies.network.outputs, policies.network.actions
    slots, totals, lengths = np.arange(count), np.zeros(count), np.zeros(count, np.int64)
    actions: NDArray[Any]
    if isinstance(box, Box):
        low, high, actions = np.array(box.low), np.array(box.high), np.empty((count, outputs), np.float32)
    else:
        low, high, actions = np.empty(0), np.empty(0), np.empty(count, np.int64)
    environments.reset(slots, [one.seed for one in episodes])
    _ready(isinstance(box, Box))(
        environments.kernel, environments.state, environments.observations, CONSTANTS,
        *policies.taking_turns(np.array([one.policy for one in episodes])),
        actions, low, high, np.empty((count, outputs), np.float32), totals, lengths, steps,
    )  # fmt: skip
    found = zip(totals.tolist(), lengths.tolist(), environments.behaviour(slots).tolist(), strict=True)
    return [Played(total, length, tuple(behaviour)) for total, length, behaviour in found]


@cache
def _ready(box: bool) -> Any:
    """The function below, compiled for actions of a box or for a choice, and for nothing that it is called with: or it
    would be compiled anew for each environment, in each process."""
    actions = EFFORTS if box else CHOICES
    doubles, singles = types.float64[:, ::1], types.float32[:, ::1]
    row, wholes = types.float64[::1], types.int64[::1]
    _rollout.disable_compile(False)
    _rollout.compile(
        types.void(
            types.FunctionType(signature(actions)), doubles, singles, row,
            singles, wholes, row, row, types.int64[:, ::1], types.int64, row, row, wholes,
            actions, row, row, singles, row, wholes, types.int64,
        )
    )  # fmt: skip
    _rollout.disable_compile()
    return _rollout


@compiled(error_model="numpy")  # type: ignore[untyped-decorator]
def _rollout(
    decide: Any, states: Any, seen: Any, constants: Any,
    columns: Any, places: Any, mean: Any, scale: Any, layers: Any, activation: int, one: Any, other: Any, powers: Any,
    actions: Any, low: Any, high: Any, said: Any, totals: Any, lengths: Any, most: int,
) -> None:  # fmt: skip
    """Plays an episode in each of the first n slots until it is over, or its return no number, or after `most` steps.

    Args:
        decide, states, seen, constants: see `germline.evaluators.environments.classic`.
        columns, places, mean, scale, layers, activation, one, other, powers: see `perceptrons`.
        actions, said: int64 `[n]` or float32 `[n, outputs]`, and float32 `[n, outputs]`, for what is known in between.
        low, high: of a box of actions; empty for a choice.
        totals, lengths: `[n]`, 0 before: for returns and steps.
    """
    count = totals.size
    alive, at, shown = np.arange(count), places.copy(), np.empty((count, seen.shape[1]), np.float32)
    rewards, over = np.empty(count), np.empty(count, np.bool_)
    for _ in range(most):
        for i in range(count):
            for d in range(shown.shape[1]):
                shown[i, d] = seen[alive[i], d]
        perceptrons(shown[:count], columns, at[:count], mean, scale, layers, activation, one, other, powers, said)
        _choose(said, count, low, high, actions)
        decide(states, seen, alive[:count], actions, rewards, over, constants)
        going = 0
        for i in range(count):
            slot = alive[i]
            totals[slot] += rewards[i]
            lengths[slot] += 1
            if not over[i] and np.isfinite(totals[slot]):
                alive[going], at[going] = slot, at[i]
                going += 1
        count = going
        if count == 0:
            return
        width = (count + VECTOR - 1) // VECTOR * VECTOR
        if width < columns.shape[1]:
            columns = _narrow(columns, at[:count], width)
            at[:count] = np.arange(count)


@compiled()  # type: ignore[untyped-decorator]
def _narrow(columns: Any, kept: Any, width: int) -> Any:
    """Some columns, from the left on; the rest is 0."""
    found = np.zeros((columns.shape[0], width), columns.dtype)
    for p in range(columns.shape[0]):
        for i in range(kept.size):
            found[p, i] = columns[p, kept[i]]
    return found


@compiled()  # type: ignore[untyped-decorator]
def _choose(said: Any, count: int, low: Any, high: Any, actions: Any) -> None:
    """`germline.programs.policy.network.chosen`, for the first `count` rows."""
    for i in range(count):
        if actions.ndim == 1:
            best = 0
            for j in range(1, said.shape[1]):
                if said[i, j] > said[i, best] or (np.isnan(said[i, j]) and not np.isnan(said[i, best])):
                    best = j
            actions[i] = best
        else:
            for j in range(said.shape[1]):
                output = np.float64(said[i, j])
                share = output if np.isnan(output) else min(max(output, -1.0), 1.0)
                actions[i, j] = low[j] + (share + 1.0) / 2.0 * (high[j] - low[j])
