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
def test_outputs_are_those_of_the_kernels_bit_for_bit(network: Network) -> None:
    parameters = replay(Policy(network, 7, ((5, 0.3), (6, 0.01))))
    rng = np.random.default_rng(0)
    if network.form == "conv":
        seen = rng.integers(0, 256, (4, *network.observation), dtype=np.uint8)
    else:
        seen = rng.normal(size=(200, *network.observation)) * 3
    with torch.no_grad():
        found = PolicyModule(network, parameters)(torch.from_numpy(seen))
    expected = networks_of(network, [parameters]).forward(np.zeros(len(seen), np.int64), seen)
    assert found.dtype == torch.float32 and found.shape == (len(seen), network.output_count)
    assert np.array_equal(found.numpy(), expected)
    assert len(np.unique(expected)) > len(seen)


@pytest.mark.parametrize("size", [1e-4, 1e-6, 1e-9])
def test_small_observations_come_to_the_same_bits(size: float) -> None:
    network = NETWORKS[0]
    parameters = replay(Policy(network, 7))
    seen = np.random.default_rng(0).normal(size=(2_000, 4)) * size
    with torch.no_grad():
        found = PolicyModule(network, parameters)(torch.from_numpy(seen)).numpy()
    expected = networks_of(network, [parameters]).forward(np.zeros(len(seen), np.int64), seen)
    assert np.array_equal(found, expected)


def test_an_image_with_odd_borders_gets_the_larger_one_below_and_right() -> None:
    assert paddings(NETWORKS[4]) == [(2, 2, 2, 2), (1, 2, 1, 2), (1, 1, 1, 1)]
    assert paddings(NETWORKS[6]) == [(0, 0, 0, 0)] * 3
    assert paddings(NETWORKS[0]) == []


def test_tensors_hold_each_parameter_once_in_torchs_order() -> None:
    network = NETWORKS[5]
    row = np.arange(network.parameter_count, dtype=np.float32)
    found = torch_state(network, row)
    assert torch.equal(torch.cat([one.flatten() for one in found.values()]).sort().values, torch.from_numpy(row))
    assert [tuple(one.shape) for one in found.values()][:2] == [(32, 1, 8, 8), (32,)]
    weight = network.tensors[0]
    y, x, taken, made = 3, 5, 0, 7
    at = np.ravel_multi_index((y, x, taken, made), weight.shape)
    assert found["conv1.weight"][made, taken, y, x] == at


def test_a_module_leaves_the_generator_of_torch_alone() -> None:
    before = torch.get_rng_state()
    PolicyModule(NETWORKS[0], replay(Policy(NETWORKS[0], 1)))
    assert torch.equal(torch.get_rng_state(), before)


def test_what_is_seen_is_normalised_and_cut() -> None:
    network = NETWORKS[3]
    module = PolicyModule(network, replay(Policy(network, 1)))
    far = torch.tensor([[1e9, -1e9, 1e9], [1e3, -1e3, 1e3]])
    with torch.no_grad():
        one, other = module(far)
    assert torch.equal(one, other)
