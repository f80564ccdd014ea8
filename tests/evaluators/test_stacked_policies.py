"""Policies in one batched pass come to what each comes to alone."""

import numpy as np
import pytest
import torch

from germline.evaluators.policies.compiled import CompiledPolicies
from germline.evaluators.policies.stacked import StackedPolicies
from germline.programs.policy.network import Box, Network, Normalisation
from germline.programs.policy.parameters import initial

NETWORKS = {
    "conv, same": Network("conv", (2, 40, 44), 5),
    "conv, valid": Network("conv", (2, 40, 44), 5, padding="valid"),
    "tanh": Network("mlp", (7,), 3, (16, 8)),
    "relu": Network("mlp", (7,), Box((-1.0,), (2.0,)), (16,), "relu"),
    "normalised": Network("mlp", (7,), 3, (16,), normalisation=Normalisation((0.5,) * 7, (2.0,) * 7)),
    "linear": Network("mlp", (7,), 3),
}
DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no device"))]


def seen(network: Network, count: int) -> np.ndarray:
    rng = np.random.default_rng(1)
    if network.form == "conv":
        return rng.integers(0, 256, (count, *network.observation), dtype=np.uint8)
    return rng.normal(size=(count, *network.observation))


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", NETWORKS)
def test_stacked_policies_say_what_compiled_ones_say(name: str, device: str) -> None:
    network = NETWORKS[name]
    parameters = [initial(network, seed) for seed in range(4)]
    which = np.array([0, 3, 3, 1, 0, 0])
    observations = seen(network, len(which))
    alone = CompiledPolicies(network, parameters).outputs(which, observations)
    together = StackedPolicies(network, parameters, device).outputs(which, observations)
    assert together.dtype == np.float32
    np.testing.assert_array_equal(together, alone)
