"""Whether an exported network plays as the policy does."""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from germline.evaluators.policy.networks.backend import networks_of
from germline.evaluators.policy.player import Episode, Played, chooser, play
from germline.evaluators.policy.task import PolicyTask, environments_of
from germline.evaluators.tasks.gym import GymTask
from germline.programs.export.verified import ExportMismatch
from germline.programs.policy.export import check_outputs, random_observations
from germline.programs.policy.genome import Policy
from germline.programs.policy.noise import Floats
from germline.programs.policy.parameters import replay

EPISODES = 3
"""How many are played."""
MOST_STEPS = {"mlp": 1_000, "conv": 50}
"""Decisions after which an episode is best broken off: one of an exported convolutional network takes some 20 ms."""

TOLERANCE = 1e-6
"""By how much outputs may differ, relative to the larger of 1 and the largest, where a rounding changes an episode."""

_NAMES = {"error": "error", "total": "return", "steps": "length", "behaviour": "behaviour"}
"""What there is to compare of an episode, and what it is called."""


@dataclass(frozen=True)
class Checked:
    """Episodes of the search's own network, and whether the exported one played the same ones to the last bit.

    If not, its outputs are the same to `TOLERANCE` at all that is seen in them: somewhere the last bit of an action is
    another one, and an environment can make a different episode of that.
    """

    played: list[Played]
    exact: bool


def check_by_playing(module: Any, policy: Policy, task: PolicyTask, seeds: Sequence[int], steps: int) -> Checked:
    """What the same episodes, or their beginnings, come to with the exported network and with that of the search.

    Args:
        module: an exported network, with `forward` and `act`.
        policy: what it was made of.
        task: where it plays.
        seeds: of the episodes.
        steps: the most decisions in an episode.

    Raises:
        ExportMismatch: a return, a length or what an episode did is another one, and so are outputs.
    """
    networks = networks_of(policy.network, [replay(policy)])
    episodes = [Episode(0, seed) for seed in seeds]
    apart = 0.0

    def theirs(which: NDArray[np.int64], observations: NDArray[np.generic]) -> Floats:
        return _outputs(module, observations)

    def both(which: NDArray[np.int64], observations: NDArray[np.generic]) -> Floats:
        nonlocal apart
        ours = networks.outputs(which, observations)
        apart = max(apart, float(np.abs(theirs(which, observations) - ours).max() / max(1.0, np.abs(ours).max())))
        return ours

    check_actions(module, policy)
    with closing(environments_of(task, len(seeds))) as environments:
        asked = (policy.network.actions, environments, episodes, steps)
        expected = play(networks.outputs, *asked, networks.attend)
        for seed, one in zip(seeds, expected, strict=True):
            if one.error is not None:
                raise ExportMismatch(f"expected the episode of seed {seed} of {task.name} to compare, got {one.error}")
        played = play(theirs, *asked)
        differs = [text for one, other in zip(expected, played, strict=True) if (text := _difference(one, other))]
        if differs:
            play(both, *asked, networks.attend)
            if not apart <= TOLERANCE:
                raise ExportMismatch(
                    f"expected the exported network to play the episodes of seeds {', '.join(map(str, seeds))} as the "
                    f"policy does, got {differs[0]}, and outputs that differ by {apart:.2g}"
                )
    return Checked(expected, not differs)


def _difference(one: Played, other: Played) -> str | None:
    """The first thing in which two episodes differ, in words."""
    for name, called in _NAMES.items():
        # As text, in which a number that is none equals itself.
        ours, theirs = repr(getattr(one, name)), repr(getattr(other, name))
        if ours != theirs:
            return f"another {called}: {theirs:.200} in place of {ours:.200}"
    return None


def environment_of(task: PolicyTask) -> str | None:
    """The id of the environment of gymnasium in which an exported network can play as it is.

    None if there is none: pictures have their colours last in gymnasium, and actions may not be counted from 0 there.
    """
    if not isinstance(task, GymTask) or len(task.environment_spec().observation) == 3:
        return None
    with closing(task.environments(1)) as environments:
        return None if getattr(environments, "first_action", 0) else task.environment


def check_actions(module: Any, policy: Policy) -> None:
    """Compares outputs and actions on observations that need no task.

    Raises:
        ExportMismatch: one of them is another.
    """
    networks = networks_of(policy.network, [replay(policy)])
    seen = random_observations(policy.network, 16)
    ours = networks.outputs(np.zeros(len(seen), np.int64), seen)
    check_outputs(_outputs(module, seen), ours)
    actions = chooser(policy.network.actions)(ours)
    if not all(np.array_equal(module.act(one), action) for one, action in zip(seen, actions, strict=True)):
        raise ExportMismatch("expected the same actions, got others")


def _outputs(module: Any, observations: NDArray[Any]) -> Floats:
    """One observation after the other, as it will be used."""
    with torch.no_grad():
        found: Floats = np.stack([module(one).numpy() for one in observations])
    return found
