"""Policies in one batched forward pass have the outputs that each has alone."""

import numpy as np
import pytest
import torch

from germline.evaluators.policy.networks import stacked
from germline.evaluators.policy.networks.backend import networks_of
from germline.evaluators.policy.networks.stacked import StackedPolicies
from germline.evaluators.policy.player import Episode, play
from germline.evaluators.policy.task import PolicyTask
from germline.evaluators.tasks.registry import task_class
from germline.programs.policy.network import Box, Network, Normalisation
from germline.programs.policy.parameters import initial_parameters

NETWORKS = {
    "conv, same": Network("conv", (2, 40, 44), 5),
    "conv, valid": Network("conv", (2, 40, 44), 5, padding="valid"),
    "tanh": Network("mlp", (7,), 3, (16, 8)),
    "relu": Network("mlp", (7,), Box((-1.0,), (2.0,)), (16,), "relu"),
    "normalised": Network("mlp", (7,), 3, (16,), normalisation=Normalisation((0.5,) * 7, (2.0,) * 7)),
    "linear": Network("mlp", (7,), 3),
}
DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no device"))]


def random_observations(network: Network, count: int) -> np.ndarray:
    rng = np.random.default_rng(1)
    if network.form == "conv":
        return rng.integers(0, 256, (count, *network.observation), dtype=np.uint8)
    return rng.normal(size=(count, *network.observation))


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", NETWORKS)
def test_stacked_policies_have_the_outputs_of_compiled_ones(name: str, device: str) -> None:
    network = NETWORKS[name]
    parameters = [initial_parameters(network, seed) for seed in range(4)]
    policies = np.array([0, 3, 3, 1, 0, 0])
    observations = random_observations(network, len(policies))
    alone = networks_of(network, parameters).forward(policies, observations)
    together = StackedPolicies(network, parameters, device).forward(policies, observations)
    assert together.dtype == np.float32
    np.testing.assert_array_equal(together, alone)


@pytest.mark.parametrize("batch", [[2], [1, 2, 1], [3, 0]])
@pytest.mark.parametrize("name", ["conv, same", "tanh"])
def test_only_the_policies_of_the_batch_are_computed(
    name: str, batch: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    network = NETWORKS[name]
    parameters = [initial_parameters(network, seed) for seed in range(4)]
    policies, observations = np.array(batch), random_observations(network, len(batch))
    batches, multiply = set(), torch.baddbmm

    def watched(bias: torch.Tensor, values: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        batches.add(len(weights))
        return multiply(bias, values, weights)

    monkeypatch.setattr(torch, "baddbmm", watched)
    outputs = StackedPolicies(network, parameters, "cpu").forward(policies, observations)
    assert batches == {len(set(batch))}
    np.testing.assert_array_equal(outputs, networks_of(network, parameters).forward(policies, observations))


def test_the_places_of_a_batch_are_found_once_and_recognised_by_its_array(monkeypatch: pytest.MonkeyPatch) -> None:
    network = NETWORKS["tanh"]
    parameters = [initial_parameters(network, seed) for seed in range(4)]
    together, alone = StackedPolicies(network, parameters, "cpu"), networks_of(network, parameters)
    halves = [np.array([0, 1, 1]), np.array([3, 2, 0])]
    found: list[np.ndarray] = []
    monkeypatch.setattr(stacked, "_grid", lambda policies, grid=stacked._grid: found.append(policies) or grid(policies))
    for policies in [*halves, *halves, *halves, np.array([1, 2, 3]), *halves]:
        observations = random_observations(network, len(policies))
        outputs = together.forward(policies, observations)
        np.testing.assert_array_equal(outputs, alone.forward(policies, observations))
    assert len(found) == 5  # two halves, another batch, and the halves anew


@pytest.mark.slow
def test_slots_in_two_halves_have_the_same_results() -> None:
    task = task_class("gym:CartPole-v1")
    assert issubclass(task, PolicyTask)
    network = Network("mlp", (4,), 2, (8,))
    parameters = [initial_parameters(network, seed) for seed in range(5)]
    episodes = [Episode(i % 5, 100 + i) for i in range(23)]
    alone, together = networks_of(network, parameters), StackedPolicies(network, parameters, "cpu")
    for slots in (1, 2, 7):
        expected = play(alone.forward, 2, task().environments(slots), episodes, 200, alone.assign_slots)
        outputs = play(
            together.forward, 2, task().environments(slots), episodes, 200, forward_async=together.forward_async
        )
        assert outputs == expected
