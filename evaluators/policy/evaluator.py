"""Scores policies: the mean return of their episodes."""

from collections.abc import Sequence
from statistics import fmean, stdev

import numpy as np

from germline.evaluators.device import resolve
from germline.evaluators.evaluator import Evaluator, Rejected
from germline.evaluators.hurdle import Limit
from germline.evaluators.outcome import Outcome, mean_of
from germline.evaluators.policy.compatibility import misfit_of
from germline.evaluators.policy.compiled_rollout import rollout_of
from germline.evaluators.policy.environments.environment import Environments
from germline.evaluators.policy.episode_seeds import episode_seeds
from germline.evaluators.policy.networks.backend import networks_of
from germline.evaluators.policy.parent_cache import ParentCache
from germline.evaluators.policy.player import Episode, EpisodeResult, play
from germline.evaluators.policy.task import PolicyTask, close_environments, environment_spec_of, environments_of
from germline.evaluators.task import Split
from germline.evaluators.tasks.registry import task_class
from germline.programs.policy.genome import InvalidPolicy, Policy, read, write
from germline.programs.policy.network import Network

FIRST_HELDOUT_SEED = 2**32
"""Evaluation seeds from here on belong to validations; the seeds of reviews are numbers of generations."""

PARAMETER_BYTES = 1 << 28
"""Most bytes of parameters held at once on a CPU; a pack that needs more plays in several parts."""


class PolicyEvaluator(Evaluator[Policy]):
    """Scores policies; the fitness is the mean return.

    Args:
        task: the name of a task for policies.
        seed: the run's seed; episodes follow from (seed, rung, evaluation seed).
        device: `auto`, `cpu` or `cuda`; `auto` leaves perceptrons and own networks on the CPU.
        episodes: episodes per policy at each rung, in place of the task's; 1 if the task's episodes do not vary.
        starts: `own`: at rung 0 each policy plays episodes of its own, so that a search cannot overfit to a few starts;
            `common`: all play the same episodes, as they always do at higher rungs and in validations, where policies
            are compared.
        steps: the most decisions in an episode, up to the task's number; 0: the task's number.
        slots: episodes that are played at a time; 0: the task's number.

    Raises:
        TypeError: the task is for another kind.
        NoDevice: the device is not available.
        UnknownTask, InvalidTask: see `task_class`.
    """

    time_measure = "steps"

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
        loaded = task_class(task)(resolve(device))
        if not isinstance(loaded, PolicyTask):
            raise TypeError(f"expected a task for kind policy, got {task}")
        super().__init__(loaded, resolve(device))
        self.task = loaded
        self.small_device = "cpu" if device == "auto" else self.device
        self.spec = environment_spec_of(type(loaded))
        self.seed = seed
        self.episodes = tuple(episodes) if loaded.varies else (1,) * len(episodes)
        self.own = starts == "own"
        self.steps = min(steps or self.spec.steps, self.spec.steps)
        self.slots = slots
        self.parents = ParentCache()
        self.environments: Environments | None = None
        """The environments of the last pack, replaced when a pack needs more slots; None before the first pack."""

    def read(self, text: str) -> Policy | Rejected:
        try:
            policy = read(text)
        except InvalidPolicy as invalid:
            return Rejected(str(invalid))
        misfit = misfit_of(policy.network, type(self.task), self.spec)
        return policy if misfit is None else Rejected(misfit)

    def evaluate(
        self, genomes: Sequence[Policy], rung: int, seed: int, split: Split, limit: Limit | None
    ) -> list[Outcome]:
        """Plays the episodes of each policy; a validation plays episodes that no search and no review plays."""
        results = self._play(genomes, rung, FIRST_HELDOUT_SEED + seed if split == "heldout" else seed)
        return [self._outcome(episodes) for episodes in results]

    def close(self) -> None:
        if self.environments is not None:
            close_environments(self.environments)
            self.environments = None

    def _play(self, policies: Sequence[Policy], rung: int, seed: int) -> list[list[EpisodeResult]]:
        """The episodes of each policy. Policies of one network play together, as many as `PARAMETER_BYTES` hold."""
        episodes: dict[int, list[EpisodeResult]] = {}
        for network in dict.fromkeys(policy.network for policy in policies):
            places = [place for place, policy in enumerate(policies) if policy.network == network]
            size = len(places)
            if self._device_for(network) == "cpu":
                size = max(1, PARAMETER_BYTES // (4 * network.parameter_count))
            for first in range(0, len(places), size):
                part = places[first : first + size]
                played = self._play_together([policies[place] for place in part], rung, seed)
                episodes.update(zip(part, played, strict=True))
        return [episodes[place] for place in range(len(policies))]

    def _play_together(self, policies: Sequence[Policy], rung: int, seed: int) -> list[list[EpisodeResult]]:
        network, count = policies[0].network, self.episodes[rung]
        # A validation compares policies, also at rung 0: all play the same episodes.
        if self.own and rung == 0 and seed < FIRST_HELDOUT_SEED:
            seeds = episode_seeds(self.seed, rung, seed, count, [write(policy) for policy in policies])
        else:
            seeds = episode_seeds(self.seed, rung, seed, count) * len(policies)
        episodes = [Episode(i // count, each) for i, each in enumerate(seeds)]
        parameters = np.empty((len(policies), network.parameter_count), np.float32)
        for policy, row in zip(policies, parameters, strict=True):
            self.parents.write(policy, row)
        device = self._device_for(network)
        networks = networks_of(network, parameters, device, type(self.task))
        own_module = network.form == "own"
        forward_async = networks.forward_async if device != "cpu" and not own_module else None  # slots may have states
        slots = self.slots or (self.task.slots if device == "cpu" else self.task.stacked_slots)
        if own_module:  # each slot has a copy of its policy's parameters in double precision
            slots = min(slots, max(1, PARAMETER_BYTES // (8 * network.parameter_count)))
        environments = self._environments(min(slots, len(episodes)))
        if rollout := rollout_of(networks, environments):
            played = rollout(episodes, self.steps)
        else:
            arguments = network.actions, environments, episodes, self.steps, networks.assign_slots, forward_async
            played = play(networks.forward, *arguments)
        return [played[i : i + count] for i in range(0, len(played), count)]

    def _device_for(self, network: Network) -> str:
        """Where networks like this one compute."""
        return self.device if network.form == "conv" else self.small_device

    def _environments(self, slots: int) -> Environments:
        if self.environments is None or self.environments.slots < slots:
            self.close()
            self.environments = environments_of(self.task, slots)
        return self.environments

    def _outcome(self, episodes: Sequence[EpisodeResult]) -> Outcome:
        steps = sum(episode.steps for episode in episodes)
        measures = {"episodes": float(len(episodes)), "steps": float(steps), "frames": float(steps * self.spec.frames)}
        for episode in episodes:
            if episode.error is not None:
                return Outcome("crashed", measures=measures, error=episode.error)
            if episode.diverged:
                return Outcome("diverged", measures=measures, error=f"a return was {episode.total_reward}")
        mean = fmean(episode.total_reward for episode in episodes)
        if len(episodes) > 1:
            measures["deviation"] = stdev(episode.total_reward for episode in episodes)
        for i, values in enumerate(zip(*(episode.behaviour for episode in episodes), strict=True)):
            measures[f"behaviour_{i}"] = mean_of(values)
        return Outcome("ok", mean, {"return": mean}, measures)
