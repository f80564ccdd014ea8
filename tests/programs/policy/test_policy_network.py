"""Networks of policies: sizes, parameter tensors and layouts."""

from math import prod, sqrt

import pytest

from germline.programs.policy.network import Box, Network, Normalisation
from germline.programs.policy.network_data import read_network

ATARI = (4, 84, 84)


@pytest.mark.parametrize(("padding", "parameters"), [("same", 4_052_658), ("valid", 1_693_362)])
def test_the_network_for_atari_has_the_papers_number_of_parameters(padding: str, parameters: int) -> None:
    """4,052,658 is what Deep GA's code comes to for 18 actions, where TensorFlow keeps the borders of images."""
    network = read_network({"form": "conv", "observation": list(ATARI), "padding": padding, "actions": 18})
    assert network.parameter_count == parameters
    assert sum(prod(tensor.shape) for tensor in network.tensors) == parameters


def test_convolutions_have_the_known_output_sizes() -> None:
    same, valid = (Network("conv", ATARI, 18, padding=padding) for padding in ("same", "valid"))  # type: ignore[arg-type]
    assert same.image_sizes == ((84, 84), (21, 21), (11, 11), (11, 11))
    assert valid.image_sizes == ((84, 84), (20, 20), (9, 9), (7, 7))


def test_tensors_lie_one_after_the_other() -> None:
    for network in (Network("mlp", (4,), 2, (32, 16)), Network("conv", ATARI, 6)):
        begin = 0
        for tensor in network.tensors:
            assert tensor.begin == begin
            begin += tensor.size
        assert begin == network.parameter_count
        names = [tensor.name for tensor in network.tensors]
        assert names[-2:] == ["output.weight", "output.bias"] and len(set(names)) == len(names)


def test_initial_deviations_follow_from_the_number_of_inputs_and_are_smaller_in_the_last_layer() -> None:
    weight, bias, last, _ = Network("mlp", (4,), 2, (32,)).tensors
    assert (weight.std, bias.std, last.std) == (1 / sqrt(4), 0.0, 0.1 / sqrt(32))


def test_a_network_without_hidden_layers_is_linear() -> None:
    network = Network("mlp", (2, 3), Box((-1.0,), (1.0,)))
    assert [tensor.name for tensor in network.tensors] == ["output.weight", "output.bias"]
    assert (network.parameter_count, network.output_count) == (7, 1)


@pytest.mark.parametrize(
    "network",
    [
        Network("mlp", (4,), 2, (32, 32)),
        Network("mlp", (2, 2), Box((-2.0, 0.5), (2.0, 1.0)), (), "relu"),
        Network("mlp", (2,), 3, (4,), normalisation=Normalisation((0.0, 1.0), (1.0, 0.5))),
        Network("conv", ATARI, 4, padding="valid"),
    ],
)
def test_a_network_is_read_from_its_data(network: Network) -> None:
    assert read_network(network.data()) == network


def test_the_layout_changes_with_the_places_of_parameters_alone() -> None:
    network = Network("mlp", (4,), 2, (32,))
    assert (
        network.layout
        == Network("mlp", (2, 2), 2, (32,), "relu").layout
        == Network("mlp", (4,), Box((0, 0), (1, 1)), (32,)).layout
    )
    others = [Network("mlp", (4,), 2, (31,)), Network("mlp", (4,), 3, (32,)), Network("mlp", (5,), 2, (32,))]
    assert len({each.layout for each in [network, *others]}) == 4
