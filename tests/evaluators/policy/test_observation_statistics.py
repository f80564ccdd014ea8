"""Observations are normalised by what untrained policies see."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from germline.evaluators.policy.environments.cart_pole import CartPole
from germline.evaluators.policy.environments.environment import Environments, EnvironmentSpec, Step
from germline.evaluators.policy.networks.backend import networks_of
from germline.evaluators.policy.observation_statistics import normalisation
from germline.evaluators.policy.player import Episode, play
from germline.evaluators.policy.task import PolicyTask
from germline.evaluators.tasks.registry import task_class
from germline.programs.policy.network import Network
from germline.programs.policy.parameters import initial_parameters


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
    networks = networks_of(network, [initial_parameters(network, 1_000 + i) for i in range(64)])
    rows = []

    def outputs(which: np.ndarray, observations: np.ndarray) -> np.ndarray:
        rows.append((observations - np.array(found.mean)) * np.array(found.scale))
        return networks.forward(which, observations)

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


MEANS = (1013.254, 1e8, -1e8, 0.0, 1013.254, 1e8 / 3)
DEVIATIONS = (0.01, 1.0, 0.01, 5e4, 0.0, 0.0)


class Gauges:
    """Shows numbers of different size, whatever is done; what an episode shows follows from its seed."""

    def __init__(self, slots: int, observe: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> None:
        self.slots, self.observe = slots, observe
        self.drawn = [np.random.default_rng(0)] * slots
        self.observations = np.zeros((slots, len(MEANS)))

    def reset(self, slots: NDArray[np.int64], seeds: Sequence[int]) -> None:
        for slot, seed in zip(slots.tolist(), seeds, strict=True):
            self.drawn[slot] = np.random.default_rng(seed)
        self._show(slots)

    def step(self, slots: NDArray[np.int64], actions: NDArray[Any]) -> Step:
        self._show(slots)
        return Step(np.zeros(len(slots)), np.zeros(len(slots), np.bool_))

    def _show(self, slots: NDArray[np.int64]) -> None:
        for slot in slots.tolist():
            self.observations[slot] = self.observe(self.drawn[slot].normal(size=len(MEANS)))

    def behaviour(self, slots: NDArray[np.int64]) -> NDArray[np.float64]:
        return np.zeros((len(slots), 0))

    def close(self) -> None:
        return


class GaugesTask(PolicyTask):
    """Gauges."""

    name = "gauges"

    @classmethod
    def environment_spec(cls) -> EnvironmentSpec:
        return EnvironmentSpec((len(MEANS),), 2, 100)

    def environments(self, slots: int) -> Environments:
        return Gauges(slots, lambda drawn: np.array(MEANS) + np.array(DEVIATIONS) * drawn)


GAUGES = Network("mlp", (len(MEANS),), 2, (4,))


def test_a_mean_may_be_much_larger_than_the_spread() -> None:
    found = normalisation(GaugesTask, GAUGES)
    mean, scale = np.array(found.mean), np.array(found.scale)
    varies = np.array(DEVIATIONS) > 0
    deviations = np.array(DEVIATIONS)[varies]
    assert (np.abs(mean - MEANS)[varies] < 0.1 * deviations).all()
    assert scale[varies] * deviations == pytest.approx(1.0, rel=0.05)
    assert scale[~varies].tolist() == [1.0, 1.0]
    assert (np.abs(mean - MEANS)[~varies] < 1e-3).all()


def test_what_stands_in_every_genome_is_short() -> None:
    found = normalisation(GaugesTask, GAUGES)
    # digits before the point, and behind it down to a thousandth of the spread
    most = [4 + 6, 9 + 4, 9 + 6, 5, 4 + 3, 8 + 3]
    assert all(digits(one) <= count for one, count in zip(found.mean, most, strict=True))
    assert all(digits(one) <= 4 for one in found.scale)


def digits(value: float) -> int:
    return len(f"{Decimal(repr(value)).normalize():f}".replace(".", "").strip("-0"))


class Endless(GaugesTask):
    """Gauges that are sometimes off the scale."""

    name = "endless"

    def environments(self, slots: int) -> Environments:
        return Gauges(slots, lambda drawn: np.where(drawn > 2.0, np.inf, drawn))


def test_observations_that_are_not_finite_are_refused() -> None:
    with pytest.raises(ValueError, match="expected finite observations in endless, got others; --set normalise=off"):
        normalisation(Endless, GAUGES)


def test_a_normalised_network_sees_what_a_plain_one_sees_of_normal_numbers(task: type[PolicyTask]) -> None:
    plain = Network("mlp", (4,), 2, (8,))
    normal = replace(plain, normalisation=normalisation(task, plain))
    assert normal.normalisation is not None
    seen = np.random.default_rng(0).normal(size=(5, 4))
    raw = seen / np.array(normal.normalisation.scale) + np.array(normal.normalisation.mean)
    which = np.zeros(5, np.int64)
    np.testing.assert_allclose(
        networks_of(normal, [initial_parameters(normal, 1)]).forward(which, raw),
        networks_of(plain, [initial_parameters(plain, 1)]).forward(which, seen),
        rtol=1e-5,
    )
