"""Playing episodes: the result of an episode depends on its policy and its seed alone."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from germline.evaluators.errors import InvalidTask
from germline.evaluators.policy.environments.cart_pole import CartPole
from germline.evaluators.policy.environments.environment import Slots, Step
from germline.evaluators.policy.environments.mountain_car_continuous import MountainCarContinuous
from germline.evaluators.policy.networks.backend import networks_of
from germline.evaluators.policy.player import Episode, EpisodeResult, Forward, play
from germline.programs.policy.network import Box, Network, choose_actions
from germline.programs.policy.parameters import initial_parameters

EPISODES = [Episode(number % 5, 1000 + number) for number in range(40)]


class Counting:
    """An episode lasts `seed` steps, with the reward 1 / action; seed 13 cannot begin, and 17 fails at its end."""

    def __init__(self, slots: int) -> None:
        self.slots = slots
        self.observations = np.zeros((slots, 2))
        self.most = 0

    def reset(self, slots: Slots, seeds: Sequence[int]) -> None:
        if 13 in seeds:
            raise RuntimeError("unlucky\nfor some")
        self.observations[slots] = np.stack([np.zeros(len(slots)), np.array(seeds)], 1)

    def step(self, slots: Slots, actions: NDArray[Any]) -> Step:
        self.most = max(self.most, len(slots))
        self.observations[slots, 0] += 1
        steps, seeds = self.observations[slots].T
        failed = {i: "broken" for i in range(len(slots)) if seeds[i] == steps[i] == 17}
        with np.errstate(divide="ignore"):
            return Step(1 / actions, steps == seeds, failed)

    def behaviour(self, slots: Slots) -> NDArray[np.float64]:
        return self.observations[slots]

    def close(self) -> None:
        return


def always_choosing(choice: int) -> Forward:
    """Forward pass of networks that always choose the same action."""
    return lambda policies, observations: np.tile(np.eye(3, dtype=np.float32)[choice], (len(policies), 1))


def result(total: float, steps: int, seed: int, error: str | None = None) -> EpisodeResult:
    return EpisodeResult(total, steps, (float(steps), float(seed)), error)


@pytest.mark.parametrize("slots", [1, 3, 50])
def test_a_free_slot_gets_the_next_episode_until_all_are_played(slots: int) -> None:
    environments = Counting(slots)
    seeds = [1, 5, 2, 9, 30, 4, 4, 1, 1, 12]
    results = play(always_choosing(2), 3, environments, [Episode(0, seed) for seed in seeds], 20)
    assert results == [result(min(seed, 20) / 2, min(seed, 20), seed) for seed in seeds]
    assert environments.most == min(slots, len(seeds))


@pytest.mark.parametrize("slots", [1, 3, 50])
def test_an_episode_that_cannot_begin_or_whose_environment_raises_fails_alone(slots: int) -> None:
    seeds = [13, 2, 17, 13, 3, 13]
    results = play(always_choosing(1), 3, Counting(slots), [Episode(0, seed) for seed in seeds], 20)
    unable = EpisodeResult(0.0, 0, (), "RuntimeError: unlucky")
    assert results == [unable, result(2, 2, 2), result(17, 17, 17, "broken"), unable, result(3, 3, 3), unable]
    assert play(always_choosing(1), 3, Counting(slots), [Episode(0, 13)] * 3, 20) == [unable] * 3
    assert play(always_choosing(1), 3, Counting(slots), [], 20) == []


def test_an_episode_ends_when_its_return_is_not_finite() -> None:
    assert play(always_choosing(0), 3, Counting(2), [Episode(0, 9)] * 3, 20) == [result(np.inf, 1, 9)] * 3


@pytest.mark.slow
@pytest.mark.parametrize("make", [CartPole, MountainCarContinuous])
def test_results_do_not_depend_on_slots_order_or_other_policies(make: Any) -> None:
    actions = 2 if make is CartPole else Box((-1.0,), (1.0,))
    network = Network("mlp", (4,) if make is CartPole else (2,), actions, (8, 8))
    networks = networks_of(network, [initial_parameters(network, seed) for seed in range(5)])

    def results(slots: int, episodes: Sequence[Episode]) -> dict[Episode, EpisodeResult]:
        return dict(zip(episodes, play(networks.forward, actions, make(slots), episodes, 60), strict=True))

    alone = {episode: results(1, [episode])[episode] for episode in EPISODES}
    assert max(result.steps for result in alone.values()) == 60 or make is CartPole
    for slots in (1, 2, 7, 40, 64):
        assert results(slots, EPISODES) == results(slots, EPISODES[::-1]) == alone


def test_outputs_become_actions_inside_the_box() -> None:
    outputs = np.array([[-3, -1], [0, 0.5], [1, 7]], np.float32)
    actions = choose_actions(Box((-2.0, 0.0), (2.0, 1.0)), outputs)
    assert actions.dtype == np.float32 and actions.tolist() == [[-2, 0], [0, 0.75], [2, 1]]
    assert choose_actions(2, np.array([[1, 1], [0, 1]], np.float32)).tolist() == [0, 1]


def test_a_step_that_raises_for_all_slots_is_no_episodes_failure() -> None:
    class Raising(Counting):
        def step(self, slots: Slots, actions: NDArray[Any]) -> Step:
            if 7 in self.observations[slots, 1]:
                raise OSError("the wire is cut\nhere")
            return super().step(slots, actions)

    with pytest.raises(InvalidTask, match=r"expected a step of the environments, got OSError: the wire is cut$"):
        play(always_choosing(1), 3, Raising(3), [Episode(0, seed) for seed in (2, 7, 2)], 20)
