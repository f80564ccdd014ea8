"""The network as a torch module: the bits of the search's own kernels, which are the reference."""

import numpy as np
import pytest
import torch

from germline.evaluators.policy.networks.backend import networks_of
from germline.programs.policy.genome import Policy
from germline.programs.policy.module import PolicyModule, torch_state
from germline.programs.policy.network import Box, Network, Normalisation, paddings
from germline.programs.policy.parameters import replay

NETWORKS = (
    Network("mlp", (4,), 2, (32, 32)),
    Network("mlp", (3,), 3),
    Network("mlp", (2, 3), Box((-2.0, 0.0), (2.0, 1.0)), (16,), "relu"),
    Network("mlp", (3,), 4, (8,), normalisation=Normalisation((0.5, -1.0, 0.0), (2.0, 1.0, 30.0))),
    Network("conv", (4, 84, 84), 18),
    Network("conv", (1, 45, 61), 5),
    Network("conv", (3, 40, 52), 5, padding="valid"),
)


@pytest.mark.parametrize("network", NETWORKS)
def test_outputs_equal_those_of_the_kernels_bit_for_bit(network: Network) -> None:
    parameters = replay(Policy(network, 7, ((5, 0.3), (6, 0.01))))
    rng = np.random.default_rng(0)
    if network.form == "conv":
        observations = rng.integers(0, 256, (4, *network.observation), dtype=np.uint8)
    else:
        observations = rng.normal(size=(200, *network.observation)) * 3
    with torch.no_grad():
        outputs = PolicyModule(network, parameters)(torch.from_numpy(observations))
    expected = networks_of(network, [parameters]).forward(np.zeros(len(observations), np.int64), observations)
    assert outputs.dtype == torch.float32 and outputs.shape == (len(observations), network.output_count)
    assert np.array_equal(outputs.numpy(), expected)
    assert len(np.unique(expected)) > len(observations)


@pytest.mark.parametrize("size", [1e-4, 1e-6, 1e-9])
def test_outputs_for_small_observations_have_the_same_bits(size: float) -> None:
    network = NETWORKS[0]
    parameters = replay(Policy(network, 7))
    observations = np.random.default_rng(0).normal(size=(2_000, 4)) * size
    with torch.no_grad():
        outputs = PolicyModule(network, parameters)(torch.from_numpy(observations)).numpy()
    expected = networks_of(network, [parameters]).forward(np.zeros(len(observations), np.int64), observations)
    assert np.array_equal(outputs, expected)


def test_odd_padding_is_larger_below_and_on_the_right() -> None:
    assert paddings(NETWORKS[4]) == [(2, 2, 2, 2), (1, 2, 1, 2), (1, 1, 1, 1)]
    assert paddings(NETWORKS[6]) == [(0, 0, 0, 0)] * 3
    assert paddings(NETWORKS[0]) == []


@pytest.mark.slow
def test_tensors_hold_each_parameter_once_in_torchs_order() -> None:
    network = NETWORKS[5]
    row = np.arange(network.parameter_count, dtype=np.float32)
    state = torch_state(network, row)
    assert torch.equal(torch.cat([tensor.flatten() for tensor in state.values()]).sort().values, torch.from_numpy(row))
    assert [tuple(tensor.shape) for tensor in state.values()][:2] == [(32, 1, 8, 8), (32,)]
    weight = network.tensors[0]
    y, x, channel, unit = 3, 5, 0, 7
    at = np.ravel_multi_index((y, x, channel, unit), weight.shape)
    assert state["conv1.weight"][unit, channel, y, x] == at


def test_building_a_module_draws_no_random_numbers_of_torch() -> None:
    before = torch.get_rng_state()
    PolicyModule(NETWORKS[0], replay(Policy(NETWORKS[0], 1)))
    assert torch.equal(torch.get_rng_state(), before)


def test_normalised_observations_are_clipped() -> None:
    network = NETWORKS[3]
    module = PolicyModule(network, replay(Policy(network, 1)))
    far = torch.tensor([[1e9, -1e9, 1e9], [1e3, -1e3, 1e3]])
    with torch.no_grad():
        first, second = module(far)
    assert torch.equal(first, second)
