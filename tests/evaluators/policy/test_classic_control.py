"""Classic control for many at once: what gymnasium gives for one, to the last bit."""

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
    """Acts by chance; in odd episodes mostly with the last number seen, which swings up, climbs and balances."""
    rng, actions = np.random.default_rng(seed), VECTORISED[name][0].actions
    along = 0.9 if seed % 2 else 0.0

    def act(seen: list[float]) -> Any:
        drawn = rng.uniform(-0.1, 1.1) if rng.random() >= along else float(seen[-1] > 0)
        place = min(max(drawn, 0.0), 1.0)
        if isinstance(actions, int):
            return min(int(place * actions), actions - 1)
        return np.array([actions.low[0] + place * (actions.high[0] - actions.low[0])], np.float32)

    return act


def theirs(name: str, seed: int, act: Act, steps: int) -> Steps:
    """An episode of gymnasium's own."""
    environment = gymnasium.make(name, disable_env_checker=True).unwrapped
    found: Steps = [(environment.reset(seed=seed)[0].tolist(), 0.0, False)]
    while len(found) <= steps and not found[-1][2]:
        seen, reward, over, _, _ = environment.step(act(found[-1][0]))
        assert seen.dtype == np.float32
        found.append((seen.tolist(), float(reward), over))
    return found


def ours(environments: Environments, slot: int, seed: int, act: Act, steps: int) -> Steps:
    """The same here, in one slot."""
    here = np.array([slot])
    environments.reset(here, [seed])
    found: Steps = [(environments.observations[slot].tolist(), 0.0, False)]
    while len(found) <= steps and not found[-1][2]:
        step = environments.step(here, np.array([act(found[-1][0])]))
        found.append((environments.observations[slot].tolist(), float(step.rewards[0]), bool(step.over[0])))
    return found


@everywhere
def test_every_step_is_that_of_gymnasium(name: str) -> None:
    spec, make = VECTORISED[name]
    environments = make(SLOTS)
    ended = 0
    for seed in [0, 2**31 - 1, *np.random.default_rng(0).integers(2**31, size=EPISODES - 2).tolist()]:
        expected = theirs(name, seed, player(name, seed), spec.steps)
        assert ours(environments, seed % SLOTS, seed, player(name, seed), spec.steps) == expected
        ended += expected[-1][2]
    assert ended or name == "Pendulum-v1"


@everywhere
def test_an_episode_does_not_depend_on_its_neighbours(name: str) -> None:
    make, seeds = VECTORISED[name][1], range(SLOTS)
    alone = [ours(make(1), 0, seed, player(name, seed), 100) for seed in seeds]
    environments, acts, playing = make(SLOTS), [player(name, seed) for seed in seeds], np.arange(SLOTS)
    environments.reset(playing, list(seeds))
    for number in range(100):
        seen = environments.observations.tolist()
        assert all(seen[slot] == alone[slot][number][0] for slot in playing)
        step = environments.step(playing, np.array([acts[slot](seen[slot]) for slot in playing]))
        assert step.rewards.tolist() == [alone[slot][number + 1][1] for slot in playing]
        assert len(environments.behaviour(playing)) == len(playing)
        playing = playing[~step.over]


@everywhere
def test_the_world_is_that_of_gymnasium(name: str) -> None:
    assert VECTORISED[name][0] == spec_of(gymnasium.make(name), name)


@pytest.mark.parametrize(("low", "high", "count"), [(-0.05, 0.05, 4), (-0.6, -0.4, 1), ((-np.pi, -1), (np.pi, 1), 2)])
def test_the_numbers_of_a_seed_are_those_of_gymnasium(low: Any, high: Any, count: int) -> None:
    seeds = [0, 1, 2**31 - 1, 2**32 - 1, *np.random.default_rng(0).integers(2**32, size=500).tolist()]
    expected = [np_random(seed)[0].uniform(low, high, count).tolist() for seed in seeds]
    assert uniform(seeds, low, high, count).tolist() == expected
