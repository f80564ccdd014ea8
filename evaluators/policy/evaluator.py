"""Scores policies: the mean return of the episodes that they play."""

import math
import os
import socket
import time
from collections.abc import Sequence
from dataclasses import replace
from statistics import fmean, stdev

import numpy as np

from germline.evaluators.device import resolve
from germline.evaluators.hurdle import Limit
from germline.evaluators.outcome import Objective, Outcome
from germline.evaluators.policy.compiled_rollout import rollout_of
from germline.evaluators.policy.environments.environment import Environments
from germline.evaluators.policy.episode_seeds import episode_seeds
from germline.evaluators.policy.networks.backend import networks_of
from germline.evaluators.policy.parent_cache import ParentCache
from germline.evaluators.policy.player import Episode, EpisodeResult, play
from germline.evaluators.policy.task import PolicyTask, environment_spec_of, environments_of
from germline.evaluators.tasks.registry import task_class
from germline.programs.policy.genome import InvalidPolicy, Policy, read, write

UNSEEN = 2**32
"""Seeds of reviews are numbers of generations; those of a validation are beyond all of them."""

MOST_BYTES = 1 << 28
"""Of parameters at a time: on a CPU a pack of large networks plays in several parts."""


class PolicyEvaluator:
    """Fitness of a policy: its mean return.

    Args:
        task: the name of a task for policies.
        seed: the run's seed; episodes follow from (seed, rung, evaluation seed).
        device: `auto`, `cpu` or `cuda`; `auto` leaves perceptrons on the CPU.
        episodes: how many are played at each rung.
        starts: `own`: at rung 0 each policy plays other episodes, so that a search cannot settle on a few starts;
            `common`: all play the same ones. At higher rungs, where policies are compared, all play the same.
        steps: the most decisions in an episode; 0: as many as the task says.
        slots: episodes at a time; 0: as many as the task says.
    """

    def __init__(
        self,
        task: str,
        seed: int,
        device: str = "cpu",
        episodes: Sequence[int] = (1, 30, 200),
        starts: str = "own",
        steps: int = 0,
        slots: int = 0,
    ) -> None:
        self.device = resolve(device)
        self.small_device = "cpu" if device == "auto" else self.device
        chosen = task_class(task)
        if not issubclass(chosen, PolicyTask):
            raise TypeError(f"expected a task for policies, got {task}")
        self.task = chosen(self.device)
        self.spec = environment_spec_of(chosen)
        self.seed = seed
        self.episodes = tuple(episodes) if chosen.varies else (1,) * len(episodes)
        self.own = starts == "own"
        self.steps = min(steps or self.spec.steps, self.spec.steps)
        self.slots = slots
        self.parents = ParentCache()
        self.environments: Environments | None = None
        """As many slots as were needed so far."""

    @property
    def objectives(self) -> Sequence[Objective]:
        return self.task.objectives

    def score(self, genomes: Sequence[str], rung: int, seed: int, limit: Limit | None = None) -> list[Outcome]:
        """An outcome for each genome; each is charged a share of the time by its decisions."""
        began = time.perf_counter()
        policies = [self._read(genome) for genome in genomes]
        found = iter(self._play([one for one in policies if isinstance(one, Policy)], rung, seed))
        outcomes = [self._outcome(next(found)) if isinstance(one, Policy) else one for one in policies]
        seconds, worker = time.perf_counter() - began, f"{socket.gethostname()}:{os.getpid()}"
        decisions = sum(one.measures.get("steps", 0.0) for one in outcomes) or 1.0
        return [
            replace(one, seconds=seconds * one.measures.get("steps", 0.0) / decisions, worker=worker)
            for one in outcomes
        ]

    def validate(self, genomes: Sequence[str], rung: int, seed: int) -> list[float | None]:
        outcomes = self.score(genomes, rung, UNSEEN + seed)
        return [one.objectives.get("return") for one in outcomes]

    def _play(self, policies: Sequence[Policy], rung: int, seed: int) -> list[list[EpisodeResult]]:
        """The episodes of each policy; those of one network play side by side, as many as `MOST_BYTES` hold."""
        found: dict[int, list[EpisodeResult]] = {}
        for network in dict.fromkeys(policy.network for policy in policies):
            same = [place for place, policy in enumerate(policies) if policy.network == network]
            most = max(1, MOST_BYTES // (4 * network.parameter_count)) if self.device == "cpu" else len(same)
            for some in (same[first : first + most] for first in range(0, len(same), most)):
                found |= zip(some, self._play_together([policies[place] for place in some], rung, seed), strict=True)
        return [found[place] for place in range(len(policies))]

    def _play_together(self, policies: Sequence[Policy], rung: int, seed: int) -> list[list[EpisodeResult]]:
        network, count = policies[0].network, self.episodes[rung]
        own = self.own and rung == 0 and seed < UNSEEN  # what is validated plays what it is validated beside
        episodes = [
            Episode(i, episode)
            for i, policy in enumerate(policies)
            for episode in episode_seeds(self.seed, rung, seed, count, write(policy) if own else None)
        ]
        parameters = np.empty((len(policies), network.parameter_count), np.float32)
        for policy, row in zip(policies, parameters, strict=True):
            self.parents.write(policy, row)
        device = self.small_device if network.form == "mlp" else self.device
        networks = networks_of(network, parameters, device)
        forward_async = networks.forward_async if device != "cpu" else None
        slots = self.slots or (self.task.slots if device == "cpu" else self.task.stacked_slots)
        environments = self._environments(min(slots, len(episodes)))
        if whole := rollout_of(networks, environments):
            played = whole(episodes, self.steps)
        else:
            asked = network.actions, environments, episodes, self.steps, networks.assign_slots, forward_async
            played = play(networks.forward, *asked)
        return [played[i : i + count] for i in range(0, len(played), count)]

    def _environments(self, slots: int) -> Environments:
        if self.environments is None or self.environments.slots < slots:
            if self.environments is not None:
                self.environments.close()
                self.environments = None
            self.environments = environments_of(self.task, slots)
        return self.environments

    def _read(self, genome: str) -> Policy | Outcome:
        """The policy of a genome, or its fate."""
        try:
            policy = read(genome)
        except InvalidPolicy as invalid:
            return Outcome("rejected", error=str(invalid))
        network = policy.network
        if network.observation != self.spec.observation or network.actions != self.spec.actions:
            return Outcome(
                "rejected",
                error=f"expected a policy for observations {list(self.spec.observation)} of {self.task.name}, "
                f"got one for {list(network.observation)}",
            )
        return policy

    def _outcome(self, played: Sequence[EpisodeResult]) -> Outcome:
        steps = sum(one.steps for one in played)
        measures = {"episodes": float(len(played)), "steps": float(steps), "frames": float(steps * self.spec.frames)}
        for one in played:
            if one.error is not None:
                return Outcome("crashed", measures=measures, error=one.error)
            if one.diverged:
                return Outcome("diverged", measures=measures, error=f"a return was {one.total_reward}")
        mean = fmean(one.total_reward for one in played)
        if len(played) > 1:
            measures["deviation"] = stdev(one.total_reward for one in played)
        for i, values in enumerate(zip(*(one.behaviour for one in played), strict=True)):
            measures[f"behaviour_{i}"] = _mean(values)
        return Outcome("ok", mean, {"return": mean}, measures)


def _mean(values: Sequence[float]) -> float:
    """NaN where there is none, which a task may bring about."""
    try:
        return fmean(values)
    except (OverflowError, ValueError):
        return math.nan
