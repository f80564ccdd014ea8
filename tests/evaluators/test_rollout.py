"""Episodes that are compiled whole are those that are played decision by decision."""

from dataclasses import replace

import numpy as np
import pytest

from germline.evaluators.environments.classic import Classic
from germline.evaluators.policies.perceptrons import PerceptronPolicies
from germline.evaluators.policies.play import Episode, Played, play
from germline.evaluators.policies.rollout import _choose, rollout
from germline.evaluators.tasks.gym import VECTORISED
from germline.programs.policy.network import Box, Network, Normalisation, chosen
from germline.programs.policy.parameters import initial

EPISODES = [Episode(number % 7, 1000 + number) for number in range(45)]


@pytest.mark.parametrize("name", VECTORISED)
@pytest.mark.parametrize("slots", [1, 9, 45, 64])
def test_rollouts_are_what_is_played(name: str, slots: int) -> None:
    world, make = VECTORISED[name]
    network = Network("mlp", world.observation, world.actions, (8, 5), "relu" if slots == 9 else "tanh")
    if slots == 45:
        size = world.observation[0]
        network = replace(network, normalisation=Normalisation((0.01,) * size, (3.0,) * size))
    policies = PerceptronPolicies(network, [3 * initial(network, seed) for seed in range(7)])
    environments = make(slots)
    assert isinstance(environments, Classic)
    expected = play(policies.outputs, world.actions, make(slots), EPISODES, 120)
    assert rollout(policies, environments, EPISODES, 120) == expected
    assert rollout(policies, environments, EPISODES[:5], 120) == expected[:5]
    assert len({one.total for one in expected}) > 3 or name.startswith(("MountainCar-", "Acrobot"))


def test_an_episode_ends_when_its_return_is_no_number() -> None:
    world, make = VECTORISED["MountainCarContinuous-v0"]
    network = Network("mlp", world.observation, world.actions, ())
    parameters = np.array([[0.0, 0.0, np.nan], [0.0, 0.0, 1.0]], np.float32)
    environments = make(4)
    assert isinstance(environments, Classic)
    found = rollout(PerceptronPolicies(network, parameters), environments, [Episode(0, 1), Episode(1, 1)], 30)
    assert found[0].steps == 1 and np.isnan(found[0].total)
    assert found[1] == Played(found[1].total, 30, found[1].behaviour) and found[1].total == pytest.approx(-3)


@pytest.mark.parametrize("actions", [3, Box((-1.0, 0.0, -5.0), (1.0, 0.5, 2.0))])
def test_actions_are_chosen_as_everywhere(actions: int | Box) -> None:
    values = [-np.inf, -1.5, -0.3, 0.0, 0.3, 2.0, np.inf, np.nan]
    said = np.array([[a, b, c] for a in values for b in values for c in values], np.float32)
    box = isinstance(actions, Box)
    low, high = (np.array(actions.low), np.array(actions.high)) if isinstance(actions, Box) else (np.empty(0),) * 2
    found = np.empty((len(said), 3), np.float32) if box else np.empty(len(said), np.int64)
    _choose(said, len(said), low, high, found)
    np.testing.assert_array_equal(found, chosen(actions, said))
