"""The evaluator of policies: which episodes a policy plays, and that no score depends on the rest of a pack."""

import math
from pathlib import Path
from statistics import fmean

import numpy as np
import pytest

from germline.evaluators.evaluator import EvaluatorSpec
from germline.evaluators.executors.executor import Job
from germline.evaluators.executors.inline_executor import score_here
from germline.evaluators.policy.episode_seeds import episode_seeds
from germline.evaluators.policy.evaluator import FIRST_HELDOUT_SEED, PolicyEvaluator
from germline.evaluators.policy.parent_cache import NEAR, ParentCache
from germline.evaluators.policy.player import EpisodeResult
from germline.programs.policy.evolution import Generation, Member, OpenAiEs, Rule, SeparableCma
from germline.programs.policy.genome import Policy, read, write
from germline.programs.policy.network import Network
from germline.programs.policy.parameters import replay

TASK = "gym:CartPole-v1"
NETWORK = Network("mlp", (4,), 2, (8,))
POLICIES = [Policy(NETWORK, seed, ((7, 0.5), (seed, 0.3))) for seed in range(12)]
GENOMES = [write(policy) for policy in POLICIES]
EPISODES = (2, 5, 7)


def evaluator(**options: object) -> PolicyEvaluator:
    return PolicyEvaluator(TASK, seed=1, **{"episodes": EPISODES, **options})  # type: ignore[arg-type]


def returns(scorer: PolicyEvaluator, genomes: list[str] = GENOMES, rung: int = 0, seed: int = 0) -> list[float]:
    outcomes = scorer.score(genomes, rung, seed)
    assert {outcome.status for outcome in outcomes} == {"ok"}
    return [outcome.objectives["return"] for outcome in outcomes]


def test_a_pack_scores_what_its_genomes_score_one_by_one() -> None:
    together = returns(evaluator())
    assert together == [returns(evaluator(slots=1), [genome])[0] for genome in GENOMES]
    assert together[::-1] == returns(evaluator(slots=5), GENOMES[::-1])
    assert len(set(together)) > 6


def test_the_fitness_is_the_mean_return_of_as_many_episodes_as_the_rung_has() -> None:
    for rung, count in enumerate(EPISODES):
        outcome = evaluator().score(GENOMES[:1], rung, 0)[0]
        assert outcome.fitness == outcome.objectives["return"] == outcome.measures["steps"] / count
        assert outcome.measures["episodes"] == count and outcome.measures["frames"] == outcome.measures["steps"]
        assert outcome.measures["deviation"] > 0


def test_own_episodes_differ_between_policies_and_common_ones_do_not() -> None:
    same = [episode_seeds(1, 0, 0, 2), episode_seeds(1, 1, 0, 2), episode_seeds(1, 0, 1, 2), episode_seeds(2, 0, 0, 2)]
    own = episode_seeds(1, 0, 0, 2, GENOMES)
    assert len({*own, *(seed for seeds in same for seed in seeds)}) == 2 * (len(GENOMES) + len(same))
    assert own == [seed for genome in GENOMES for seed in episode_seeds(1, 0, 0, 2, [genome])]
    assert returns(evaluator()) != returns(evaluator(starts="common"))
    assert returns(evaluator(), rung=1) == returns(evaluator(starts="common"), rung=1)


def test_each_rung_and_seed_has_its_own_episodes_every_time() -> None:
    scorer = evaluator(episodes=(5, 5, 5), starts="common")
    all_returns = [returns(scorer, rung=rung, seed=seed) for rung in range(3) for seed in range(2)]
    assert len({tuple(scores) for scores in all_returns}) == 6
    assert all_returns == [returns(scorer, rung=rung, seed=seed) for rung in range(3) for seed in range(2)]
    assert returns(PolicyEvaluator(TASK, seed=2, episodes=(5, 5, 5), starts="common")) not in all_returns


def test_an_episode_has_no_more_steps_than_are_allowed() -> None:
    assert all(score <= 9 for score in returns(evaluator(steps=9)))
    assert evaluator(steps=9999).steps == 500


def test_a_policy_of_another_task_and_an_invalid_text_are_rejected_alone() -> None:
    other = write(Policy(Network("mlp", (2,), 3, (8,)), 1))
    wider = write(Policy(Network("mlp", (4,), 3, (8,)), 1))
    outcomes = evaluator().score([GENOMES[0], other, "{}", wider, GENOMES[1]], 0, 0)
    assert [outcome.status for outcome in outcomes] == ["ok", "rejected", "rejected", "rejected", "ok"]
    assert "with observations [4] and 2 actions, got a policy with [2] and 3 actions" in str(outcomes[1].error)
    assert [outcomes[0].fitness, outcomes[4].fitness] == returns(evaluator(), GENOMES[:2])


def test_validation_plays_episodes_that_no_review_plays() -> None:
    found = evaluator().validate(GENOMES[:3], 2, 4)
    assert [outcome.objectives["return"] for outcome in found] == returns(
        evaluator(), GENOMES[:3], 2, FIRST_HELDOUT_SEED + 4
    )


@pytest.mark.parametrize("total", [1e308, -1e308, math.inf, math.nan])
def test_returns_too_large_for_a_mean_have_diverged(total: float) -> None:
    outcome = evaluator()._outcome([EpisodeResult(total, 3, ()), EpisodeResult(total, 4, ())])
    assert (outcome.status, outcome.error) == ("diverged", f"a return was {total}")
    assert evaluator()._outcome([EpisodeResult(1e100, 3, ()), EpisodeResult(-1e100, 4, ())]).fitness == 0.0


@pytest.mark.parametrize("behaviours", [(1e308, 1e308), (math.inf, -math.inf), (math.nan, 1.0)])
def test_a_behaviour_without_a_mean_is_nan(behaviours: tuple[float, float]) -> None:
    outcome = evaluator()._outcome([EpisodeResult(1.0, 3, (value,)) for value in behaviours])
    assert outcome.status == "ok" and math.isnan(outcome.measures["behaviour_0"])


def test_validation_at_the_first_rung_plays_common_episodes() -> None:
    found = evaluator().validate([*GENOMES[:3], GENOMES[0]], 0, 4)
    assert [outcome.fitness for outcome in found] == returns(
        evaluator(starts="common"), [*GENOMES[:3], GENOMES[0]], 0, FIRST_HELDOUT_SEED + 4
    )


ROOMS = """
import numpy as np
from germline.evaluators.policy.task import PolicyTask
from germline.evaluators.policy.environments.environment import Step, EnvironmentSpec


class Rooms:
    def __init__(self, slots):
        self.slots, self.observations = slots, np.zeros((slots, 2))

    def reset(self, slots, seeds):
        self.observations[slots] = np.array(seeds)[:, None] % 7

    def step(self, slots, actions):
        if (actions == 2).any():
            raise OSError("no such action")
        self.observations[slots] += 1
        return Step(np.ones(len(slots)), self.observations[slots, 0] >= 12)

    def behaviour(self, slots):
        return np.zeros((len(slots), 0))

    def close(self):
        pass


class Room(PolicyTask):
    name = "room"

    @classmethod
    def environment_spec(cls):
        return EnvironmentSpec((2,), 3, 50)

    def environments(self, slots):
        return Rooms(slots)
"""


def test_a_genome_that_makes_all_environments_raise_at_once_fails_alone(tmp_path: Path) -> None:
    (tmp_path / "rooms.py").write_text(ROOMS)
    genomes = [write(Policy(Network("mlp", (2,), 3, (4,)), seed)) for seed in range(12)]
    job = Job((0,), tuple(genomes), rung=0, seed=0)
    evaluators = [PolicyEvaluator(f"{tmp_path / 'rooms.py'}:Room", 1, slots=slots) for slots in (1, 4, 12)]
    statuses = {tuple(outcome.status for outcome in score_here(evaluator, job)) for evaluator in evaluators}
    assert len(statuses) == 1 and set(*statuses) == {"ok", "crashed"}


def test_policies_of_different_networks_score_as_each_does_alone() -> None:
    other = [write(Policy(Network("mlp", (4,), 2, hidden, "relu"), seed)) for hidden, seed in (((7,), 1), ((), 2))]
    mixed = [GENOMES[0], other[0], GENOMES[1], other[1]]
    assert returns(evaluator(), mixed) == [returns(evaluator(), [genome])[0] for genome in mixed]


@pytest.mark.parametrize("kept", [1, 3, 100])
def test_parameters_by_way_of_parents_equal_a_replay(kept: int) -> None:
    cache = ParentCache(max_bytes=kept * 4 * NETWORK.parameter_count)
    family = [POLICIES[0]]
    for seed in range(30):
        family.append(family[seed * 7 % len(family)].child(seed, 0.1))
    for policy in [*family, *family[::-1]]:
        parameters = np.empty(NETWORK.parameter_count, np.float32)
        cache.write(policy, parameters)
        assert (parameters == replay(policy)).all()
    assert len(cache.trajectories) <= kept


@pytest.mark.parametrize("kept", [1, 3, 100])
@pytest.mark.parametrize("rule", [OpenAiEs("adam", 0.05), OpenAiEs("adam", 0.05, rank=2), SeparableCma(6)], ids=str)
def test_parameters_by_way_of_means_equal_a_replay(kept: int, rule: Rule) -> None:
    mean = Policy(NETWORK, 7, (), rule)
    cache = ParentCache(max_bytes=kept * (4 + 8 + 8) * NETWORK.parameter_count)
    scored = []
    for seed in range(NEAR + 8):
        scored += [mean, mean.after(Member(seed, 0.1, 0)), mean.after(Member(seed, 0.1, 1))]
        mean = mean.after(Generation(seed, 0.1, (2, 1, 0)))
    for policy in [*scored, *scored[::-1], scored[0], scored[-1], *scored[::41]]:
        parameters = np.empty(NETWORK.parameter_count, np.float32)
        cache.write(read(write(policy)), parameters)
        assert (parameters == replay(policy)).all()
    assert kept == 1 or len(cache.trajectories) <= max(kept, 2) + 1


@pytest.mark.slow
def test_workers_score_the_same_as_this_process(local_ray: None) -> None:
    from germline.evaluators.executors.ray_executor import RayExecutor

    expected = returns(evaluator())
    for workers in (1, 2):
        executor = RayExecutor(EvaluatorSpec("policy", TASK, 1, options={"episodes": EPISODES}), workers)
        try:
            for first in range(0, len(GENOMES), 3):
                executor.submit(Job((first,), tuple(GENOMES[first : first + 3]), 0, 0))
            outcomes_by_first = {job.key[0]: outcomes for job, outcomes in (executor.next() for _ in range(4))}
        finally:
            executor.close()
        assert [
            outcome.fitness for first in sorted(outcomes_by_first) for outcome in outcomes_by_first[first]
        ] == expected
    assert fmean(expected) > 9


def test_a_pack_too_large_for_memory_plays_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = returns(evaluator())
    monkeypatch.setattr("germline.evaluators.policy.evaluator.PARAMETER_BYTES", 5 * 4 * NETWORK.parameter_count)
    found = evaluator()
    assert returns(found) == whole
    assert found.environments is not None and found.environments.slots == 5 * EPISODES[0]


def test_a_task_without_variation_plays_one_episode() -> None:
    maze = PolicyEvaluator("hard-maze", seed=1, episodes=(3, 30, 200), steps=20)
    network = Network("mlp", (10,), maze.spec.actions, (4,))
    for rung in range(3):
        outcome = maze.score([write(Policy(network, 1))], rung, 0)[0]
        assert outcome.measures["episodes"] == 1 and outcome.measures["steps"] == 20


@pytest.mark.slow
@pytest.mark.parametrize("name", ["BipedalWalker-v3", "LunarLander-v3", "Hopper-v5"])
def test_episodes_do_not_depend_on_earlier_episodes_in_their_environment(name: str) -> None:
    """An environment of gymnasium that keeps state of an episode is not used for the next one."""
    pytest.importorskip("mujoco" if name.startswith("Hopper") else "Box2D")
    task = f"gym:{name}"
    spec = PolicyEvaluator(task, 1).spec
    network = Network("mlp", spec.observation, spec.actions, (8,))
    genomes = [write(Policy(network, seed)) for seed in range(6)]
    single, many = PolicyEvaluator(task, 1, episodes=(2, 1, 1), slots=1), PolicyEvaluator(task, 1, episodes=(2, 1, 1))
    assert returns(single, genomes) == returns(many, genomes) == returns(single, genomes)
    assert returns(single, genomes[::-1]) == returns(many, genomes)[::-1]
