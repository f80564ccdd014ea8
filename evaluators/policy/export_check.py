"""Checks an exported network by playing: it must play the same episodes as the policy."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from germline.evaluators.errors import in_a_line
from germline.evaluators.policy.environments.gymnasium_slots import GymnasiumEnvironments
from germline.evaluators.policy.exported_network import ExportedNetwork
from germline.evaluators.policy.networks.backend import networks_of
from germline.evaluators.policy.player import Episode, EpisodeResult, play
from germline.evaluators.policy.task import PolicyTask, opened_environments
from germline.evaluators.tasks.gym import GymTask
from germline.programs.export.verified import ExportMismatch
from germline.programs.policy.export import check_outputs, random_observations
from germline.programs.policy.genome import Policy
from germline.programs.policy.interface import SAME, Interface
from germline.programs.policy.network import choose_actions
from germline.programs.policy.noise import Floats
from germline.programs.policy.parameters import replay

EPISODES = 3
"""Number of episodes to play."""
MOST_STEPS = {"mlp": 1_000, "conv": 50, "own": 1_000}
"""Decisions after which an episode should be cut, by form of the network: an exported convolutional network takes about
20 ms for a decision."""

TOLERANCE = 1e-6
"""Largest difference of outputs allowed in episodes that differ, relative to the larger of 1 and the largest output."""

_COMPARED = {"error": "error", "total_reward": "return", "steps": "length", "behaviour": "behaviour"}
"""Fields of an `EpisodeResult` to compare, and their names in messages."""


@dataclass(frozen=True)
class PlayCheck:
    """Result of `check_by_playing`.

    Args:
        results: results of the episodes with the search's own network.
        exact: whether the exported network has the same results, to the last bit. If not, its outputs differ by at
            most `TOLERANCE` in these episodes: the last bit of an output can change an action, and so an episode.
    """

    results: list[EpisodeResult]
    exact: bool


def check_by_playing(
    module: Any, policy: Policy, task: PolicyTask, seeds: Sequence[int], steps: int, interface: Interface = SAME
) -> PlayCheck:
    """Plays the same episodes, or their beginnings, with the exported network and with the search's network.

    If the results are equal and the environment is one of gymnasium, the episodes are also played as a user would, by
    calling `act` alone.

    Args:
        module: the exported network, with `forward` and `act`.
        policy: the exported policy.
        task: task to play.
        seeds: seeds of the episodes.
        steps: decisions after which an episode is cut.
        interface: what the export was written for.

    Raises:
        ExportMismatch: an episode could not be played; a return, length or behaviour differs, and outputs differ by
            more than `TOLERANCE`; an output or action differs on random observations; or `act` plays another episode.
    """
    networks = networks_of(policy.network, [replay(policy)], task=type(task))
    exported = ExportedNetwork(module)
    episodes = [Episode(0, seed) for seed in seeds]
    largest_difference = 0.0

    def forward_both(policies: NDArray[np.int64], observations: NDArray[np.generic]) -> Floats:
        """Outputs of the search's network; records the largest difference of the exported network's outputs."""
        nonlocal largest_difference
        expected = networks.forward(policies, observations)
        difference = np.abs(exported.forward(policies, observations) - expected).max()
        largest_difference = max(largest_difference, float(difference / max(1.0, np.abs(expected).max())))
        return expected

    def assign_both(slots: NDArray[np.int64], starting: NDArray[np.bool_]) -> None:
        networks.assign_slots(slots, starting)
        exported.assign_slots(slots, starting)

    check_actions(module, policy, interface, task)
    with opened_environments(task, len(seeds)) as environments:
        arguments = (policy.network.actions, environments, episodes, steps)
        results = play(networks.forward, *arguments, networks.assign_slots)
        for seed, result in zip(seeds, results, strict=True):
            if result.error is not None:
                raise ExportMismatch(
                    f"expected the episode of seed {seed} of {task.name} to compare, got {result.error}"
                )
        exported_results = play(exported.forward, *arguments, exported.assign_slots)
        pairs = zip(results, exported_results, strict=True)
        differences = [text for expected, got in pairs if (text := _difference(expected, got))]
        if differences:
            play(forward_both, *arguments, assign_both)
            if not largest_difference <= TOLERANCE:
                raise ExportMismatch(
                    f"expected the exported network to play the episodes of seeds {', '.join(map(str, seeds))} as the "
                    f"policy does, got {differences[0]}, and outputs that differ by {largest_difference:.2g}"
                )
        elif isinstance(environments, GymnasiumEnvironments):
            for seed, result in zip(seeds, results, strict=True):
                _check_act(module, environments, seed, steps, result)
    return PlayCheck(results, not differences)


def _check_act(
    module: Any, environments: GymnasiumEnvironments, seed: int, steps: int, expected: EpisodeResult
) -> None:
    """Plays an episode with `act` on the environment's own observations. Raises ExportMismatch if it differs."""
    environment = environments.build()
    total, step, over = 0.0, 0, False
    try:
        if hasattr(module, "reset"):
            module.reset()
        observation, _ = environment.reset(seed=seed)
        while not over and step < steps:
            observation, reward, terminated, truncated, _ = environment.step(module.act(observation))
            total, step, over = total + float(reward), step + 1, bool(terminated or truncated)
    except Exception as error:
        raise ExportMismatch(f"expected act to play the environment, got {in_a_line(error)}") from None
    finally:
        environment.close()
    if repr((total, step)) != repr((expected.total_reward, expected.steps)):
        raise ExportMismatch(
            f"expected act to play the episode of seed {seed} as the search did, with a return of "
            f"{expected.total_reward:.6g} after {expected.steps} decisions, got {total:.6g} after {step}"
        )


def _difference(expected: EpisodeResult, got: EpisodeResult) -> str | None:
    """The first field in which two results differ, in words; None if they are equal."""
    for field, name in _COMPARED.items():
        # As text, in which NaN equals NaN.
        expected_text, got_text = repr(getattr(expected, field)), repr(getattr(got, field))
        if expected_text != got_text:
            return f"another {name}: {got_text:.200} in place of {expected_text:.200}"
    return None


def gymnasium_id_of(task: PolicyTask) -> str | None:
    """The id of the task's environment in gymnasium; None if it has none."""
    return task.environment if isinstance(task, GymTask) else None


def interface_of(task: PolicyTask) -> Interface:
    """How the observations and actions of the task's environment differ from those of a policy's network."""
    with opened_environments(task, 1) as environments:
        if isinstance(environments, GymnasiumEnvironments):
            continuous = not isinstance(task.environment_spec().actions, int)
            action_type = np.dtype(environments.action_type).name if continuous else SAME.action_type
            return Interface(environments.channels_last, environments.first_action, action_type)
    return SAME


def check_actions(module: Any, policy: Policy, interface: Interface = SAME, task: PolicyTask | None = None) -> None:
    """Compares outputs and actions on random observations, alone and in a batch, for which no task is needed.

    Of an own network, whose module may take no other observations than those of its environment, and one at a time,
    they are compared on the first observations of `task`.

    Raises:
        ExportMismatch: an output or an action differs.
    """
    own = policy.network.form == "own"
    networks = networks_of(policy.network, [replay(policy)], task=type(task) if task else None)
    observations = random_observations(policy.network, 16) if not own else _first_observations(task)
    outputs = networks.forward(np.zeros(len(observations), np.int64), observations)
    check_outputs(ExportedNetwork(module).forward(np.zeros(0, np.int64), observations), outputs)
    actions = choose_actions(policy.network.actions, outputs)
    if isinstance(policy.network.actions, int):
        actions = actions + interface.first_action
    raw = interface.raw(observations)
    alone = np.stack([_act_alone(module, observation) for observation in raw])
    if not np.array_equal(alone, actions):
        raise ExportMismatch("expected the same actions, got others")
    if own:
        return
    batch = module.act(raw)
    close = np.array_equal if isinstance(policy.network.actions, int) else np.allclose
    if np.shape(batch) != np.shape(actions) or not close(batch, actions):
        raise ExportMismatch("expected the same actions for a batch, got others")


def _act_alone(module: Any, observation: NDArray[Any]) -> Any:
    """The action for an observation, of a recurrent network as the first of an episode."""
    if hasattr(module, "reset"):
        module.reset()
    return module.act(observation)


def _first_observations(task: PolicyTask | None) -> NDArray[Any]:
    from germline.evaluators.policy.networks.own_trial import first_observations  # imports torch

    assert task is not None
    return first_observations(type(task), task.environment_spec())
