"""Networks of a user's own as data: parameters, their initial values, and what is refused."""

import json
from math import sqrt
from typing import Any

import numpy as np
import pytest

from germline.programs.policy.evolution import Generation, Member, OpenAiEs, Rule, SeparableCma
from germline.programs.policy.genome import InvalidPolicy, Policy, read, write
from germline.programs.policy.member_noise import add_member, gain_weighted_noise
from germline.programs.policy.network import Box, InvalidNetwork, Network, Normalisation
from germline.programs.policy.network_data import read_network
from germline.programs.policy.own_tensor import InvalidTensor, OwnTensor, read_tensors
from germline.programs.policy.parameters import initial_parameters, replay

TENSORS = (
    OwnTensor("cell.weight", (6, 4)),
    OwnTensor("cell.bias", (6,), 0.0),
    OwnTensor("norm.weight", (6,), 1.0),
    OwnTensor("kernel", (5, 3, 2, 2)),
    OwnTensor("scale", (), 0.5),
    OwnTensor("head.weight", (2, 6), 0.0),
)
NETWORK = Network("own", (4,), 2, own=TENSORS)


def test_parameters_lie_in_the_order_of_the_module_with_the_shapes_of_torch() -> None:
    row = np.arange(NETWORK.parameter_count)
    views = [tensor.view(row) for tensor in NETWORK.tensors]
    assert [view.shape for view in views] == [tensor.shape for tensor in TENSORS]
    assert np.concatenate([view.reshape(-1) for view in views]).tolist() == row.tolist()


def test_initial_values_are_those_of_the_module_or_normal_by_the_number_of_inputs() -> None:
    network = Network("own", (4,), 2, own=(*TENSORS, OwnTensor("large", (200, 100)), OwnTensor("wide", (50, 4, 5, 5))))
    row = initial_parameters(network, 3)
    values = {tensor.name: tensor.view(row) for tensor in network.tensors}
    assert (values["cell.bias"] == 0).all() and (values["norm.weight"] == 1).all() and values["scale"] == 0.5
    assert (values["head.weight"] == 0).all()
    assert values["large"].std() == pytest.approx(1 / sqrt(100), rel=0.02)
    assert values["wide"].std() == pytest.approx(1 / sqrt(100), rel=0.03)
    assert not np.array_equal(row, initial_parameters(network, 4))


@pytest.mark.parametrize(
    "network",
    [
        NETWORK,
        Network(
            "own", (2, 2), Box((-2.0,), (2.0,)), own=TENSORS[:1], normalisation=Normalisation((0.0,) * 4, (1.0,) * 4)
        ),
    ],
)
def test_an_own_network_and_its_policies_are_read_from_their_data(network: Network) -> None:
    assert read_network(json.loads(json.dumps(network.data()))) == network
    policy = Policy(network, 7, ((3, 0.1),))
    assert read(write(policy)) == policy


def test_the_layout_tells_names_shapes_order_and_initial_values() -> None:
    others = [
        TENSORS[1:],
        TENSORS[::-1],
        (OwnTensor("another", (6, 4)), *TENSORS[1:]),
        (OwnTensor("cell.weight", (4, 6)), *TENSORS[1:]),
        (*TENSORS[:2], OwnTensor("norm.weight", (6,), 2.0), *TENSORS[3:]),
        (OwnTensor("cell.weight", (6, 4), 0.0), *TENSORS[1:]),
    ]
    layouts = {Network("own", (4,), 2, own=own).layout for own in [TENSORS, *others]}
    assert len(layouts) == 1 + len(others)
    text = write(Policy(NETWORK, 1)).replace(NETWORK.layout, "00000000")
    with pytest.raises(InvalidPolicy, match="expected layout"):
        read(text)


@pytest.mark.parametrize(
    "data",
    [
        None,
        [],
        {"a": [2, 2]},
        [["a"]],
        [["a", [2, 2], 0.0, 1]],
        [["", [2, 2]]],
        [["a\n", [2, 2]]],
        [["a" * 301, [2, 2]]],
        [[1, [2, 2]]],
        [["a", 2]],
        [["a", [2, 0]]],
        [["a", [2, True]]],
        [["a", [2, -2]]],
        [["a", [1] * 17]],
        [["a", [2]]],
        [["a", []]],
        [["a", [2, 2], None]],
        [["a", [2, 2], True]],
        [["a", [2, 2], float("nan")]],
        [["a", [2, 2], 1e31]],
        [["a", [2, 2]], ["a", [2, 2]]],
    ],
)
def test_data_of_no_parameters_are_refused_in_a_line(data: Any) -> None:
    with pytest.raises(InvalidTensor, match=r"^tensors: expected [^\n]*got [^\n]*$"):
        read_tensors(data)


def test_too_many_parameters_are_refused() -> None:
    data = {**NETWORK.data(), "tensors": [["a", [10**8, 10**8]]]}
    with pytest.raises(InvalidNetwork, match="at most 100,000,000 parameters"):
        read_network(data)
    with pytest.raises(InvalidNetwork, match="expected a network of"):
        read_network({**NETWORK.data(), "hidden": [4]})


@pytest.mark.parametrize(
    "rule", [OpenAiEs("adam", 0.05), OpenAiEs("sgd", 0.05, 0.01, 1), SeparableCma(6)], ids=["full", "rank-1", "cma"]
)
def test_evolution_strategies_move_own_networks(rule: Rule) -> None:
    ranks = (3, -1, 2) if isinstance(rule, OpenAiEs) else (4, 0, 1)
    policy = Policy(NETWORK, 7, (Generation(5, 0.1, ranks),), rule)
    mean, member = replay(policy), replay(policy.after(Member(6, 0.1, 1)))
    changed = mean != initial_parameters(NETWORK, 7)
    assert changed.mean() > 0.95 and (member != mean).mean() > 0.95


def test_noise_of_low_rank_is_a_product_of_units_and_inputs() -> None:
    rule, member = OpenAiEs("adam", 0.05, rank=1), Member(9, 0.5, 0)
    noise = np.zeros(NETWORK.parameter_count, np.float32)
    add_member(noise, NETWORK, rule, member)
    for tensor in NETWORK.tensors:
        if len(tensor.shape) > 1:
            assert np.linalg.matrix_rank(tensor.view(noise).reshape(tensor.shape[0], -1), tol=1e-5) == 1
    gains = gain_weighted_noise(NETWORK, rule, Generation(9, 0.5, (2,)))
    np.testing.assert_allclose(gains, noise / 0.5 * 2, rtol=1e-5, atol=1e-6)
