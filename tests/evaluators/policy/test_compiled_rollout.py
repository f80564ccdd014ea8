"""Compiled rollouts have the results of episodes that are played decision by decision."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from germline.evaluators.policy.compiled_rollout import rollout, rollout_of
from germline.evaluators.policy.environments.cart_pole import CartPole
from germline.evaluators.policy.environments.classic_control import ClassicControl
from germline.evaluators.policy.environments.environment import Slots, Step
from germline.evaluators.policy.environments.hard_maze import HardMaze
from germline.evaluators.policy.networks.perceptron_kernels import choose_actions as compiled_choose_actions
from germline.evaluators.policy.networks.perceptrons import PerceptronPolicies
from germline.evaluators.policy.networks.stacked import StackedPolicies
from germline.evaluators.policy.player import Episode, EpisodeResult, play
from germline.evaluators.tasks.gym import VECTORISED
from germline.programs.policy.network import Box, Network, Normalisation, choose_actions
from germline.programs.policy.parameters import initial_parameters

EPISODES = [Episode(number % 7, 1000 + number) for number in range(45)]


@pytest.mark.slow
@pytest.mark.parametrize("name", VECTORISED)
@pytest.mark.parametrize("slots", [1, 9, 45, 64])
def test_compiled_rollouts_equal_play(name: str, slots: int) -> None:
    spec, make = VECTORISED[name]
    network = Network("mlp", spec.observation, spec.actions, (8, 5), "relu" if slots == 9 else "tanh")
    if slots == 45:
        size = spec.observation[0]
        network = replace(network, normalisation=Normalisation((0.01,) * size, (3.0,) * size))
    policies = PerceptronPolicies(network, [3 * initial_parameters(network, seed) for seed in range(7)])
    environments = make(slots)
    assert isinstance(environments, ClassicControl)
    expected = play(policies.forward, spec.actions, make(slots), EPISODES, spec.steps)
    assert rollout(policies, environments, EPISODES, spec.steps) == expected
    assert rollout(policies, environments, EPISODES[:5], spec.steps) == expected[:5]
    cut = play(policies.forward, spec.actions, make(slots), EPISODES[:5], 7)
    assert rollout(policies, environments, EPISODES[:5], 7) == cut


def test_episodes_of_different_lengths_equal_play() -> None:
    """A car that is always pushed the way it moves arrives, after a time that depends on its initial position."""
    spec, make = VECTORISED["MountainCar-v0"]
    network = Network("mlp", spec.observation, spec.actions, ())
    pushing = np.zeros((2, 3), np.float32)
    pushing[1] = -1.0, 0.0, 1.0
    policies = PerceptronPolicies(network, [np.concatenate([pushing.ravel(), np.zeros(3)]).astype(np.float32)])
    environments = make(40)
    assert isinstance(environments, ClassicControl)
    episodes = [Episode(0, seed) for seed in range(40)]
    results = rollout(policies, environments, episodes, spec.steps)
    assert results == play(policies.forward, spec.actions, make(7), episodes, spec.steps)
    assert len({result.steps for result in results}) > 5 and max(result.steps for result in results) < spec.steps


def test_an_episode_ends_when_its_return_is_not_finite() -> None:
    spec, make = VECTORISED["MountainCarContinuous-v0"]
    network = Network("mlp", spec.observation, spec.actions, ())
    parameters = np.array([[0.0, 0.0, np.nan], [0.0, 0.0, 1.0]], np.float32)
    environments = make(4)
    assert isinstance(environments, ClassicControl)
    results = rollout(PerceptronPolicies(network, parameters), environments, [Episode(0, 1), Episode(1, 1)], 30)
    assert results[0].steps == 1 and np.isnan(results[0].total_reward)
    total = results[1].total_reward
    assert results[1] == EpisodeResult(total, 30, results[1].behaviour) and total == pytest.approx(-3)


@pytest.mark.parametrize("actions", [3, Box((-1.0, 0.0, -5.0), (1.0, 0.5, 2.0))])
def test_the_kernel_chooses_the_same_actions(actions: int | Box) -> None:
    values = [-np.inf, -1.5, -0.3, 0.0, 0.3, 2.0, np.inf, np.nan]
    outputs = np.array([[a, b, c] for a in values for b in values for c in values], np.float32)
    box = isinstance(actions, Box)
    low, high = (np.array(actions.low), np.array(actions.high)) if isinstance(actions, Box) else (np.empty(0),) * 2
    chosen = np.empty((len(outputs), 3), np.float32) if box else np.empty(len(outputs), np.int64)
    compiled_choose_actions(outputs, len(outputs), low, high, chosen)
    np.testing.assert_array_equal(chosen, choose_actions(actions, outputs))


def test_environments_and_networks_that_do_not_fit_have_no_compiled_rollout() -> None:
    network = Network("mlp", (4,), 2, (8,))
    policies = PerceptronPolicies(network, [initial_parameters(network, 1)])

    class Slower(CartPole):
        def step(self, slots: Slots, actions: NDArray[Any]) -> Step:
            return super().step(slots, actions)

    assert rollout_of(policies, CartPole(2)) is not None
    assert rollout_of(policies, Slower(2)) is None and rollout_of(policies, HardMaze(2)) is None
    for other in (Network("mlp", (1,), 2, (8,)), Network("mlp", (4,), 3, (8,))):
        assert rollout_of(PerceptronPolicies(other, [initial_parameters(other, 1)]), CartPole(2)) is None
    assert rollout_of(StackedPolicies(network, [initial_parameters(network, 1)], "cpu"), CartPole(2)) is None
