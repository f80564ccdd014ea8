"""Classic control in many slots: the same numbers as gymnasium's environments, to the last bit."""

import os
from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.seeding import np_random

from germline.evaluators.policy.environments.environment import Environments
from germline.evaluators.policy.environments.gymnasium_slots import spec_of
from germline.evaluators.policy.environments.seeding import uniform
from germline.evaluators.tasks.gym import VECTORISED

EPISODES = 12 * int(os.environ.get("GERMLINE_SCALE", "1"))
SLOTS = 7

pytestmark = pytest.mark.filterwarnings("ignore:.*out of date:DeprecationWarning")
everywhere = pytest.mark.parametrize("name", VECTORISED)

Act = Callable[[list[float]], Any]
Steps = list[tuple[list[float], float, bool]]
"""Observation, reward and end of each step of an episode; the first is the reset."""


def player(name: str, seed: int) -> Act:
    """Acts at random; in odd episodes mostly by the sign of the last observed number, which swings up and balances."""
    rng, actions = np.random.default_rng(seed), VECTORISED[name][0].actions
    along = 0.9 if seed % 2 else 0.0

    def act(observation: list[float]) -> Any:
        drawn = rng.uniform(-0.1, 1.1) if rng.random() >= along else float(observation[-1] > 0)
        place = min(max(drawn, 0.0), 1.0)
        if isinstance(actions, int):
            return min(int(place * actions), actions - 1)
        return np.array([actions.low[0] + place * (actions.high[0] - actions.low[0])], np.float32)

    return act


def gymnasium_episode(name: str, seed: int, act: Act, steps: int) -> Steps:
    """Steps of an episode in gymnasium's own environment."""
    environment = gymnasium.make(name, disable_env_checker=True).unwrapped
    steps_so_far: Steps = [(environment.reset(seed=seed)[0].tolist(), 0.0, False)]
    while len(steps_so_far) <= steps and not steps_so_far[-1][2]:
        observation, reward, over, _, _ = environment.step(act(steps_so_far[-1][0]))
        assert observation.dtype == np.float32
        steps_so_far.append((observation.tolist(), float(reward), over))
    return steps_so_far


def slot_episode(environments: Environments, slot: int, seed: int, act: Act, steps: int) -> Steps:
    """Steps of an episode in one slot of our environments."""
    slots = np.array([slot])
    environments.reset(slots, [seed])
    steps_so_far: Steps = [(environments.observations[slot].tolist(), 0.0, False)]
    while len(steps_so_far) <= steps and not steps_so_far[-1][2]:
        step = environments.step(slots, np.array([act(steps_so_far[-1][0])]))
        steps_so_far.append((environments.observations[slot].tolist(), float(step.rewards[0]), bool(step.over[0])))
    return steps_so_far


@pytest.mark.slow
@everywhere
def test_every_step_equals_gymnasiums_to_the_last_bit(name: str) -> None:
    spec, make = VECTORISED[name]
    environments = make(SLOTS)
    ended = 0
    for seed in [0, 2**31 - 1, *np.random.default_rng(0).integers(2**31, size=EPISODES - 2).tolist()]:
        expected = gymnasium_episode(name, seed, player(name, seed), spec.steps)
        assert slot_episode(environments, seed % SLOTS, seed, player(name, seed), spec.steps) == expected
        ended += expected[-1][2]
    assert ended or name == "Pendulum-v1"


@pytest.mark.slow
@everywhere
def test_an_episode_does_not_depend_on_its_neighbours(name: str) -> None:
    make, seeds = VECTORISED[name][1], range(SLOTS)
    alone = [slot_episode(make(1), 0, seed, player(name, seed), 100) for seed in seeds]
    environments, acts, playing = make(SLOTS), [player(name, seed) for seed in seeds], np.arange(SLOTS)
    environments.reset(playing, list(seeds))
    for number in range(100):
        observations = environments.observations.tolist()
        assert all(observations[slot] == alone[slot][number][0] for slot in playing)
        step = environments.step(playing, np.array([acts[slot](observations[slot]) for slot in playing]))
        assert step.rewards.tolist() == [alone[slot][number + 1][1] for slot in playing]
        assert len(environments.behaviour(playing)) == len(playing)
        playing = playing[~step.over]


@everywhere
def test_the_specification_equals_gymnasiums(name: str) -> None:
    assert VECTORISED[name][0] == spec_of(gymnasium.make(name), name)


@pytest.mark.parametrize(("low", "high", "count"), [(-0.05, 0.05, 4), (-0.6, -0.4, 1), ((-np.pi, -1), (np.pi, 1), 2)])
def test_the_random_numbers_of_a_seed_equal_gymnasiums(low: Any, high: Any, count: int) -> None:
    seeds = [0, 1, 2**31 - 1, 2**32 - 1, *np.random.default_rng(0).integers(2**32, size=500).tolist()]
    expected = [np_random(seed)[0].uniform(low, high, count).tolist() for seed in seeds]
    assert uniform(seeds, low, high, count).tolist() == expected
