"""A policy on a task, and the episodes that it plays: for `germline play`, and for films on pages."""

from collections.abc import Sequence
from time import perf_counter
from typing import NamedTuple

from germline.evaluators.policy.compatibility import playable
from germline.evaluators.policy.networks.backend import networks_of
from germline.evaluators.policy.player import Episode, EpisodeResult, play
from germline.evaluators.policy.task import PolicyTask, opened_environments
from germline.programs.policy.genome import Policy
from germline.programs.policy.parameters import replay


class Player(NamedTuple):
    """A policy on a task. An episode has at most `steps` decisions, and a decision lasts `frames` frames of the
    environment."""

    label: str
    policy: Policy
    task: PolicyTask
    steps: int
    frames: int


def player_of(genome: str, task: str, label: str, steps: int = 0) -> Player:
    """A policy on a task with the same observations and actions.

    Args:
        genome: the text of the policy.
        task: the full name of the task. It is imported, so the user has named it or `confirmed_name` returned it.
        label: what messages call the policy.
        steps: the most decisions of an episode, if the task has no lower limit; 0: the limit of the task.

    Raises:
        CannotPlay: the genome is not a valid policy, the task is not for policies, or they do not fit each other.
        UnknownTask, InvalidTask: there is no such task, or it cannot be used.
    """
    policy, chosen, spec = playable(genome, task, label)
    return Player(label, policy, chosen(), min(steps or spec.steps, spec.steps), spec.frames)


def play_episodes(player: Player, seeds: range) -> tuple[list[EpisodeResult], float]:
    """The results of the episodes, and the seconds of playing them, without the time for compiling."""
    networks = networks_of(player.policy.network, [replay(player.policy)], task=type(player.task))
    actions, episodes = player.policy.network.actions, [Episode(0, seed) for seed in seeds]
    with opened_environments(player.task, min(len(seeds), player.task.slots)) as environments:
        play(networks.forward, actions, environments, episodes[:1], 1, networks.assign_slots)  # compiles
        began = perf_counter()
        played = play(networks.forward, actions, environments, episodes, player.steps, networks.assign_slots)
        return played, max(perf_counter() - began, 1e-9)


def median_episode(played: Sequence[EpisodeResult]) -> int:
    """The place of the episode with the median return among those that count: of two in the middle the lower, among
    equals the earliest. The first episode if none counts."""
    counting = [i for i, episode in enumerate(played) if episode_error(episode) is None]
    ordered = sorted(counting, key=lambda i: (played[i].total_reward, i))
    return ordered[(len(ordered) - 1) // 2] if ordered else 0


def episode_error(played: EpisodeResult) -> str | None:
    """The error of an episode that does not count, by the rules of a search; None if it counts."""
    if played.error is None and played.diverged:
        return f"diverged: the return was {played.total_reward}"
    return played.error
