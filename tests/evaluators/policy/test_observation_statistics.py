"""Mean and scale of observations, measured with untrained policies."""

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
    chosen = task_class("gym:CartPole-v1")
    assert issubclass(chosen, PolicyTask)
    return chosen


def test_the_normalisation_of_a_task_is_always_the_same(task: type[PolicyTask]) -> None:
    network = Network("mlp", (4,), 2, (8,))
    assert normalisation(task, network) == normalisation(task, network)


def test_observations_of_other_untrained_policies_have_about_mean_0_and_deviation_1(task: type[PolicyTask]) -> None:
    network = Network("mlp", (4,), 2, (8,))
    measured = normalisation(task, network)
    networks = networks_of(network, [initial_parameters(network, 1_000 + i) for i in range(64)])
    rows = []

    def recording_forward(policies: np.ndarray, observations: np.ndarray) -> np.ndarray:
        rows.append((observations - np.array(measured.mean)) * np.array(measured.scale))
        return networks.forward(policies, observations)

    play(recording_forward, 2, task().environments(64), [Episode(i, 50 + i) for i in range(64)], 500)
    everything = np.concatenate(rows)
    assert np.abs(everything.mean(0)).max() < 0.5
    assert everything.std(0).min() > 0.5
    assert everything.std(0).max() < 3.0


def test_an_environment_that_cannot_begin_is_an_error_with_its_cause(
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
    measured = normalisation(GaugesTask, GAUGES)
    mean, scale = np.array(measured.mean), np.array(measured.scale)
    varies = np.array(DEVIATIONS) > 0
    deviations = np.array(DEVIATIONS)[varies]
    assert (np.abs(mean - MEANS)[varies] < 0.1 * deviations).all()
    assert scale[varies] * deviations == pytest.approx(1.0, rel=0.05)
    assert scale[~varies].tolist() == [1.0, 1.0]
    assert (np.abs(mean - MEANS)[~varies] < 1e-3).all()


def test_mean_and_scale_have_few_digits() -> None:
    measured = normalisation(GaugesTask, GAUGES)
    # digits before the point, and behind it down to a thousandth of the spread
    most = [4 + 6, 9 + 4, 9 + 6, 5, 4 + 3, 8 + 3]
    assert all(digits(mean) <= count for mean, count in zip(measured.mean, most, strict=True))
    assert all(digits(scale) <= 4 for scale in measured.scale)


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


def test_normalised_observations_have_the_outputs_of_standard_normal_ones(task: type[PolicyTask]) -> None:
    plain = Network("mlp", (4,), 2, (8,))
    normal = replace(plain, normalisation=normalisation(task, plain))
    assert normal.normalisation is not None
    standard = np.random.default_rng(0).normal(size=(5, 4))
    raw = standard / np.array(normal.normalisation.scale) + np.array(normal.normalisation.mean)
    policies = np.zeros(5, np.int64)
    np.testing.assert_allclose(
        networks_of(normal, [initial_parameters(normal, 1)]).forward(policies, raw),
        networks_of(plain, [initial_parameters(plain, 1)]).forward(policies, standard),
        rtol=1e-5,
    )
