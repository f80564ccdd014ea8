"""The evaluator of policies: whose episodes are whose, and that nothing depends on who is scored beside whom."""

import math
from pathlib import Path
from statistics import fmean

import numpy as np
import pytest

from germline.evaluators.evaluator import EvaluatorSpec
from germline.evaluators.executors.executor import Job, score_safely
from germline.evaluators.policy.episode_seeds import episode_seeds
from germline.evaluators.policy.evaluator import FIRST_HELDOUT_SEED, PolicyEvaluator
from germline.evaluators.policy.parent_cache import ParentCache
from germline.evaluators.policy.player import Played
from germline.programs.policy.genome import Policy, write
from germline.programs.policy.network import Network
from germline.programs.policy.parameters import replay

TASK = "gym:CartPole-v1"
NETWORK = Network("mlp", (4,), 2, (8,))
POLICIES = [Policy(NETWORK, seed, ((7, 0.5), (seed, 0.3))) for seed in range(12)]
GENOMES = [write(policy) for policy in POLICIES]
EPISODES = (2, 5, 7)


def evaluator(**options: object) -> PolicyEvaluator:
    return PolicyEvaluator(TASK, seed=1, **{"episodes": EPISODES, **options})  # type: ignore[arg-type]


def returns(found: PolicyEvaluator, genomes: list[str] = GENOMES, rung: int = 0, seed: int = 0) -> list[float]:
    outcomes = found.score(genomes, rung, seed)
    assert {one.status for one in outcomes} == {"ok"}
    return [one.objectives["return"] for one in outcomes]


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


def test_own_starts_are_each_policys_own_and_common_ones_are_all_the_same() -> None:
    same = [episode_seeds(1, 0, 0, 2), episode_seeds(1, 1, 0, 2), episode_seeds(1, 0, 1, 2), episode_seeds(2, 0, 0, 2)]
    own = [episode_seeds(1, 0, 0, 2, genome) for genome in GENOMES]
    assert len({seed for seeds in same + own for seed in seeds}) == 2 * len(same + own)
    assert returns(evaluator()) != returns(evaluator(starts="common"))
    assert returns(evaluator(), rung=1) == returns(evaluator(starts="common"), rung=1)


def test_a_rung_and_a_seed_are_other_episodes_and_the_same_again_each_time() -> None:
    found = evaluator(episodes=(5, 5, 5), starts="common")
    all_of_them = [returns(found, rung=rung, seed=seed) for rung in range(3) for seed in range(2)]
    assert len({tuple(one) for one in all_of_them}) == 6
    assert all_of_them == [returns(found, rung=rung, seed=seed) for rung in range(3) for seed in range(2)]
    assert returns(PolicyEvaluator(TASK, seed=2, episodes=(5, 5, 5), starts="common")) not in all_of_them


def test_an_episode_has_no_more_steps_than_are_allowed() -> None:
    assert all(score <= 9 for score in returns(evaluator(steps=9)))
    assert evaluator(steps=9999).steps == 500


def test_a_policy_of_another_task_and_a_text_that_is_none_are_rejected_alone() -> None:
    other = write(Policy(Network("mlp", (2,), 3, (8,)), 1))
    wider = write(Policy(Network("mlp", (4,), 3, (8,)), 1))
    outcomes = evaluator().score([GENOMES[0], other, "{}", wider, GENOMES[1]], 0, 0)
    assert [one.status for one in outcomes] == ["ok", "rejected", "rejected", "rejected", "ok"]
    assert "expected a policy for observations [4] of gym:CartPole-v1, got one for [2]" in str(outcomes[1].error)
    assert [outcomes[0].fitness, outcomes[4].fitness] == returns(evaluator(), GENOMES[:2])


def test_what_is_validated_is_what_is_reviewed_but_with_seeds_that_no_review_has() -> None:
    found = evaluator().validate(GENOMES[:3], 2, 4)
    assert [outcome.objectives["return"] for outcome in found] == returns(
        evaluator(), GENOMES[:3], 2, FIRST_HELDOUT_SEED + 4
    )


@pytest.mark.parametrize("total", [1e308, -1e308, math.inf, math.nan])
def test_returns_of_which_no_mean_can_be_told_have_diverged(total: float) -> None:
    outcome = evaluator()._outcome([Played(total, 3, ()), Played(total, 4, ())])
    assert (outcome.status, outcome.error) == ("diverged", f"a return was {total}")
    assert evaluator()._outcome([Played(1e100, 3, ()), Played(-1e100, 4, ())]).fitness == 0.0


@pytest.mark.parametrize("did", [(1e308, 1e308), (math.inf, -math.inf), (math.nan, 1.0)])
def test_what_was_done_may_have_no_mean(did: tuple[float, float]) -> None:
    outcome = evaluator()._outcome([Played(1.0, 3, (one,)) for one in did])
    assert outcome.status == "ok" and math.isnan(outcome.measures["behaviour_0"])


def test_what_is_validated_by_episodes_of_trainings_plays_the_same_ones() -> None:
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


def test_where_all_environments_raise_at_once_a_genome_that_is_to_blame_fails_alone(tmp_path: Path) -> None:
    (tmp_path / "rooms.py").write_text(ROOMS)
    genomes = [write(Policy(Network("mlp", (2,), 3, (4,)), seed)) for seed in range(12)]
    statuses = {
        tuple(
            one.status
            for one in score_safely(PolicyEvaluator(f"{tmp_path / 'rooms.py'}:Room", 1, slots=slots), genomes, 0, 0)
        )
        for slots in (1, 4, 12)
    }
    assert len(statuses) == 1 and set(*statuses) == {"ok", "crashed"}


def test_policies_of_different_networks_play_as_each_does_alone() -> None:
    other = [write(Policy(Network("mlp", (4,), 2, hidden, "relu"), seed)) for hidden, seed in (((7,), 1), ((), 2))]
    mixed = [GENOMES[0], other[0], GENOMES[1], other[1]]
    assert returns(evaluator(), mixed) == [returns(evaluator(), [one])[0] for one in mixed]


@pytest.mark.parametrize("kept", [1, 3, 100])
def test_parameters_by_way_of_parents_are_those_of_a_whole_replay(kept: int) -> None:
    cache = ParentCache(room=kept * 4 * NETWORK.parameters)
    family = [POLICIES[0]]
    for seed in range(30):
        family.append(family[seed * 7 % len(family)].child(seed, 0.1))
    for policy in [*family, *family[::-1]]:
        found = np.empty(NETWORK.parameters, np.float32)
        cache.write(policy, found)
        assert (found == replay(policy)).all()
    assert len(cache.kept) <= kept


def test_workers_score_what_is_scored_here(local_ray: None) -> None:
    from germline.evaluators.executors.ray_executor import RayExecutor

    expected = returns(evaluator())
    for workers in (1, 2):
        executor = RayExecutor(EvaluatorSpec("policy", TASK, 1, options={"episodes": EPISODES}), workers)
        try:
            for first in range(0, len(GENOMES), 3):
                executor.submit(Job((first,), tuple(GENOMES[first : first + 3]), 0, 0))
            found = {job.key[0]: outcomes for job, outcomes in (executor.next() for _ in range(4))}
        finally:
            executor.close()
        assert [one.fitness for first in sorted(found) for one in found[first]] == expected
    assert fmean(expected) > 9


def test_a_pack_that_is_larger_than_the_memory_for_it_plays_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = returns(evaluator())
    monkeypatch.setattr("germline.evaluators.policy.evaluator.PARAMETER_BYTES", 5 * 4 * NETWORK.parameters)
    found = evaluator()
    assert returns(found) == whole
    assert found.environments is not None and found.environments.slots == 5 * EPISODES[0]


def test_where_all_episodes_are_the_same_one_is_played() -> None:
    maze = PolicyEvaluator("hard-maze", seed=1, episodes=(3, 30, 200), steps=20)
    network = Network("mlp", (10,), maze.spec.actions, (4,))
    for rung in range(3):
        outcome = maze.score([write(Policy(network, 1))], rung, 0)[0]
        assert outcome.measures["episodes"] == 1 and outcome.measures["steps"] == 20


@pytest.mark.parametrize("name", ["BipedalWalker-v3", "LunarLander-v3", "Hopper-v5"])
def test_episodes_follow_from_their_seeds_whatever_was_played_before(name: str) -> None:
    """What is left of an episode in an environment of gymnasium is nothing to the next one."""
    pytest.importorskip("mujoco" if name.startswith("Hopper") else "Box2D")
    task = f"gym:{name}"
    spec = PolicyEvaluator(task, 1).spec
    network = Network("mlp", spec.observation, spec.actions, (8,))
    genomes = [write(Policy(network, seed)) for seed in range(6)]
    one, many = PolicyEvaluator(task, 1, episodes=(2, 1, 1), slots=1), PolicyEvaluator(task, 1, episodes=(2, 1, 1))
    assert returns(one, genomes) == returns(many, genomes) == returns(one, genomes)
    assert returns(one, genomes[::-1]) == returns(many, genomes)[::-1]
