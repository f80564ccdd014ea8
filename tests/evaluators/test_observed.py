"""Observations are normalised by what untrained policies see."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from germline.evaluators.environments.cart_pole import CartPole
from germline.evaluators.policies.networks import networks_of
from germline.evaluators.policies.observed import normalisation
from germline.evaluators.policies.play import Episode, play
from germline.evaluators.policy_task import PolicyTask
from germline.evaluators.tasks.registry import task_class
from germline.programs.policy.network import Network
from germline.programs.policy.parameters import initial


@pytest.fixture
def task() -> type[PolicyTask]:
    found = task_class("gym:CartPole-v1")
    assert issubclass(found, PolicyTask)
    return found


def test_it_is_the_same_whenever_it_is_asked_for(task: type[PolicyTask]) -> None:
    network = Network("mlp", (4,), 2, (8,))
    assert normalisation(task, network) == normalisation(task, network)


def test_what_other_untrained_policies_see_has_mean_0_and_deviation_1(task: type[PolicyTask]) -> None:
    network = Network("mlp", (4,), 2, (8,))
    found = normalisation(task, network)
    networks = networks_of(network, [initial(network, 1_000 + i) for i in range(64)])
    rows = []

    def outputs(which: np.ndarray, observations: np.ndarray) -> np.ndarray:
        rows.append((observations - np.array(found.mean)) * np.array(found.scale))
        return networks.outputs(which, observations)

    play(outputs, 2, task().environments(64), [Episode(i, 50 + i) for i in range(64)], 500)
    everything = np.concatenate(rows)
    assert np.abs(everything.mean(0)).max() < 0.5
    assert everything.std(0).min() > 0.5
    assert everything.std(0).max() < 3.0


def test_where_no_episode_can_begin_it_says_what_was_raised(
    task: type[PolicyTask], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: CartPole, slots: NDArray[np.int64], seeds: list[int]) -> None:
        raise OSError("no such cart")

    monkeypatch.setattr(CartPole, "reset", fail)
    with pytest.raises(ValueError, match=r"expected episodes of gym:CartPole-v1 to begin, got OSError: no such cart"):
        normalisation(task, Network("mlp", (4,), 2, (8,)))


def test_a_normalised_network_sees_what_a_plain_one_sees_of_normal_numbers(task: type[PolicyTask]) -> None:
    plain = Network("mlp", (4,), 2, (8,))
    normal = replace(plain, normalisation=normalisation(task, plain))
    assert normal.normalisation is not None
    seen = np.random.default_rng(0).normal(size=(5, 4))
    raw = seen / np.array(normal.normalisation.scale) + np.array(normal.normalisation.mean)
    which = np.zeros(5, np.int64)
    np.testing.assert_allclose(
        networks_of(normal, [initial(normal, 1)]).outputs(which, raw),
        networks_of(plain, [initial(plain, 1)]).outputs(which, seen),
        rtol=1e-5,
    )
