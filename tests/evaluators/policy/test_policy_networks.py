"""Compiled networks have the outputs of double precision, whatever else is in the batch and whatever slots keep."""

import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from numba.core.errors import TypingError
from torch.nn import functional

from germline.evaluators.policy.networks.backend import networks_of
from germline.evaluators.policy.networks.conv_kernels import REFRESH, add_changes
from germline.evaluators.policy.networks.convolutional import ConvolutionalPolicies
from germline.evaluators.policy.networks.perceptron_kernels import tanh
from germline.evaluators.policy.networks.perceptrons import PerceptronPolicies
from germline.programs.policy.network import CONVOLUTIONS, OBSERVATION_LIMIT, Network, Normalisation
from germline.programs.policy.parameters import initial_parameters, mutate

RNG = np.random.default_rng(3)
PLAIN = Normalisation((0.5, -1.0, 0.0), (2.0, 0.1, 30.0))
MLPS = [
    Network("mlp", (3,), 2, (16, 8), "tanh"),
    Network("mlp", (3,), 5, (7,), "relu"),
    Network("mlp", (3,), 4, ()),
    Network("mlp", (3,), 2, (32, 32), "tanh", normalisation=PLAIN),
]
CONVS = [
    Network("conv", (4, 84, 84), 18),
    Network("conv", (4, 84, 84), 3, padding="valid"),
    Network("conv", (1, 40, 52), 6),
    Network("conv", (3, 50, 37), 2, padding="valid"),
]


def parameters(network: Network, seed: int) -> np.ndarray:
    """Initial parameters after a mutation, so that biases are not 0."""
    row = initial_parameters(network, seed)
    mutate(row, seed, 0.02)
    return row


def torch_outputs(network: Network, row: np.ndarray, batch: np.ndarray) -> np.ndarray:
    tensors = {
        tensor.name: torch.tensor(row[tensor.begin : tensor.begin + tensor.size]).reshape(tensor.shape).double()
        for tensor in network.tensors
    }
    values = torch.tensor(batch).double()
    if network.normalisation:
        mean, scale = torch.tensor([network.normalisation.mean, network.normalisation.scale], dtype=torch.float64)
        values = ((values - mean) * scale).clamp(-OBSERVATION_LIMIT, OBSERVATION_LIMIT)
    if network.form == "conv":
        values = values[None] / 255
        for number, (_, kernel, stride) in enumerate(CONVOLUTIONS, 1):
            edges = []
            for there, made in zip(
                network.image_sizes[number - 1][::-1], network.image_sizes[number][::-1], strict=True
            ):
                lacking = max(0, (made - 1) * stride + kernel - there) if network.padding == "same" else 0
                edges += [lacking // 2, lacking - lacking // 2]
            weight = tensors[f"conv{number}.weight"].permute(3, 2, 0, 1)
            values = functional.pad(values, edges)
            values = functional.conv2d(values, weight, tensors[f"conv{number}.bias"], stride).relu()
        values = values[0].permute(1, 2, 0).flatten()
    names = [tensor.name.split(".")[0] for tensor in network.tensors if tensor.name.endswith("weight")]
    for name in names[3 if network.form == "conv" else 0 :]:
        values = values @ tensors[f"{name}.weight"] + tensors[f"{name}.bias"]
        if name != "output":
            values = values.tanh() if network.form == "mlp" and network.activation == "tanh" else values.relu()
    return values.float().numpy()


def observations(network: Network, count: int) -> np.ndarray:
    shape = (count, *network.observation)
    return RNG.integers(0, 256, shape, dtype=np.uint8) if network.form == "conv" else RNG.normal(size=shape) * 3


def film(network: Network, length: int) -> np.ndarray:
    """A sequence of images in which a small part changes at each step."""
    frames = [observations(network, 1)[0]]
    for _ in range(length - 1):
        new = frames[-1].copy()
        top, left = RNG.integers(0, 30, 2)
        new[:, top : top + 9, left : left + 7] = RNG.integers(0, 256, new[:, top : top + 9, left : left + 7].shape)
        frames.append(new)
    return np.stack(frames)


@pytest.mark.parametrize("network", MLPS + CONVS, ids=lambda network: f"{network.form}{network.observation}")
def test_outputs_have_the_bits_of_double_precision(network: Network) -> None:
    count = 3 if network.form == "conv" else 50
    rows, batch = [parameters(network, seed) for seed in range(count)], observations(network, count)
    outputs = networks_of(network, rows).forward(np.arange(count), batch)
    for row, observation, output in zip(rows, batch, outputs, strict=True):
        np.testing.assert_array_equal(output, torch_outputs(network, row, observation))


@pytest.mark.parametrize("network", [MLPS[0], CONVS[2]], ids=["mlp", "conv"])
def test_a_row_depends_on_its_own_policy_and_observation_alone(network: Network) -> None:
    rows, batch = [parameters(network, seed) for seed in range(5)], observations(network, 8)
    policies_of_rows = np.array([0, 3, 3, 1, 4, 2, 0, 4])
    together = networks_of(network, rows).forward(policies_of_rows, batch)
    for i, policy in enumerate(policies_of_rows):
        alone = networks_of(network, [rows[policy]]).forward(np.zeros(1, np.int64), batch[i : i + 1])
        assert alone[0].tobytes() == together[i].tobytes()


def test_batches_of_changing_policies_have_the_outputs_of_each_alone() -> None:
    network = MLPS[0]
    rows = [parameters(network, seed) for seed in range(30)]
    policies = networks_of(network, rows)
    for count in (20, 19, 20, 9, 5, 1, 30, 30):
        policies_of_rows, batch = RNG.integers(0, 30, count), observations(network, count)
        outputs = policies.forward(policies_of_rows, batch)
        np.testing.assert_array_equal(outputs, networks_of(network, rows).forward(policies_of_rows, batch))
        for row, policy in enumerate(policies_of_rows.tolist()):
            np.testing.assert_array_equal(outputs[row], torch_outputs(network, rows[policy], batch[row]))


@pytest.mark.parametrize("network", [CONVS[2], CONVS[3]], ids=["same", "valid"])
def test_outputs_computed_from_changes_equal_those_of_whole_images(network: Network) -> None:
    policies = networks_of(network, [parameters(network, seed) for seed in range(3)])
    films, policies_of_rows, slots = [film(network, 40) for _ in range(3)], np.arange(3), np.array([1, 4, 6])
    policies.assign_slots(slots, np.ones(3, bool))
    kept = np.stack([policies.forward(policies_of_rows, np.stack(images)) for images in zip(*films, strict=True)])
    for policy, images in enumerate(films):
        whole = networks_of(network, [policies.parameters[policy]]).forward(np.zeros(40, np.int64), images)
        np.testing.assert_allclose(kept[:, policy], whole, rtol=2e-7, atol=1e-9)
        assert (kept[:, policy] != whole).mean() < 0.02


def test_an_episode_is_the_same_in_any_slot_after_any_other() -> None:
    network = CONVS[2]
    policies = networks_of(network, [parameters(network, seed) for seed in range(2)])
    images, others, began = film(network, 12), film(network, 12), np.ones(1, bool)

    def watch(policy: int, slot: int, images: np.ndarray) -> bytes:
        policies.assign_slots(np.array([slot]), began)
        return b"".join(policies.forward(np.array([policy]), image[None]).tobytes() for image in images)

    first = watch(1, 0, images)
    watch(0, 2, others)
    assert watch(1, 2, images) == first


def test_a_slot_is_computed_anew_after_a_number_of_decisions() -> None:
    network = CONVS[2]
    policies = networks_of(network, [parameters(network, 0)])
    image = observations(network, 1)
    policies.assign_slots(np.zeros(1, np.int64), np.ones(1, bool))
    outputs = policies.forward(np.zeros(1, np.int64), image)
    policies.memory.sums[:] += 1.0
    assert not np.array_equal(policies.forward(np.zeros(1, np.int64), image), outputs)
    policies.memory.ages[0] = REFRESH
    np.testing.assert_array_equal(policies.forward(np.zeros(1, np.int64), image), outputs)


def test_tanh_has_an_error_of_a_few_last_bits() -> None:
    sizes = np.concatenate([10 ** RNG.uniform(-300, np.log10(20), 10_000), RNG.uniform(0, 20, 10_000)])
    values = np.concatenate([sizes, -sizes, [0.0, -0.0, 5e-324, 50.0, -50.0, np.inf, -np.inf]])
    outputs = values.copy()
    tanh(outputs, np.empty(outputs.size, np.int64), np.empty(outputs.size))
    np.testing.assert_allclose(outputs, np.tanh(values), rtol=1e-15, atol=0)
    assert (np.signbit(outputs) == np.signbit(values)).all()


def test_small_batches_keep_the_columns() -> None:
    network = MLPS[0]
    policies = PerceptronPolicies(network, [parameters(network, seed) for seed in range(8)])
    policies.forward(np.arange(3), observations(network, 3))
    columns = policies.columns
    for count in (2, 4, 1, 8):
        policies.forward(np.arange(count), observations(network, count))
        assert policies.columns is columns


def test_parameters_in_one_array_are_not_copied() -> None:
    network = CONVS[2]
    rows = np.stack([parameters(network, seed) for seed in range(2)])
    policies = ConvolutionalPolicies(network, rows)
    assert policies.parameters is rows
    policies_of_rows, batch = np.array([1, 0]), observations(network, 2)
    np.testing.assert_array_equal(
        policies.forward(policies_of_rows, batch), networks_of(network, [*rows]).forward(policies_of_rows, batch)
    )


@pytest.mark.parametrize("units", [1, 16, 18, 64, 512])
def test_rows_of_weights_are_added_in_their_order(units: int) -> None:
    rng = np.random.default_rng(units)
    weights = rng.standard_normal((40, units)).astype(np.float32)
    for count in range(30):
        changes, places = rng.standard_normal(count), np.sort(rng.choice(30, count, replace=False))
        sums = rng.standard_normal(units)
        expected = sums.copy()
        for change, place in zip(changes, places, strict=True):
            expected += change * weights[place + 10]
        add_changes(changes, places, weights.ravel(), 10, sums)
        assert (sums == expected).all()


def test_parameters_may_lie_in_memory_in_any_order() -> None:
    network = CONVS[0]
    parameters = np.stack([initial_parameters(network, seed) for seed in range(2)])
    images, policies_of_rows = RNG.integers(0, 256, (2, 4, 84, 84), dtype=np.uint8), np.arange(2)
    expected = ConvolutionalPolicies(network, parameters).forward(policies_of_rows, images)
    assert (
        ConvolutionalPolicies(network, np.asfortranarray(parameters)).forward(policies_of_rows, images) == expected
    ).all()


def test_arrays_of_another_type_or_stride_are_refused() -> None:
    changes, places, weights, sums = np.ones(4), np.arange(4), np.ones(4 * 16, np.float32), np.zeros(16)
    for wrong in (weights.astype(np.float64), np.ones(8 * 16, np.float32)[::2]):
        with pytest.raises(TypingError):
            add_changes(changes, places, wrong, 0, sums)
    add_changes(changes, places, weights, 0, sums)
    assert (sums == 4).all()


@pytest.mark.slow
def test_kernels_run_without_the_compiler() -> None:
    program = (
        "import numpy as np; from germline.evaluators.policy.networks.conv_kernels import add_changes;"
        "sums = np.zeros(16);"
        "add_changes(np.ones(5), np.arange(5), np.ones(80, np.float32), 0, sums); print(sums.sum())"
    )
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment)
    assert done.stdout == "80.0\n", done.stderr
