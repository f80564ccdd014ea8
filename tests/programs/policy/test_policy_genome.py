"""Genomes of policies: reading and writing, errors for invalid texts, and the parameters that follow from a genome."""

import json
from hashlib import sha256
from itertools import pairwise
from math import sqrt
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from germline.programs.policy import genome, noise, noise_generator
from germline.programs.policy.genome import InvalidPolicy, Policy, _network_fields, fingerprint, read, write
from germline.programs.policy.network import Box, Network, Normalisation
from germline.programs.policy.parameters import initial_parameters, replay

SMALL = Network("mlp", (3,), 2, (5,), "relu")
MUTATED = Policy(SMALL, 7, ((1, 0.5), (2**32 - 1, 0.02), (1, 0.5)))
NETWORKS = (
    SMALL,
    Network("mlp", (2, 3), Box((-2.0, 0.0), (2.0, 1.0)), (), "tanh"),
    Network("mlp", (3,), 4, (8, 8), normalisation=Normalisation((0.5, -1.0, 0.0), (2.0, 1.0, 1e-3))),
    Network("conv", (4, 84, 84), 18, padding="valid"),
)


def read_again(text: str) -> Policy:
    """The policy of a text, read without what was remembered when it was written."""
    genome._policy_by_text.clear()
    return read(text)


def test_a_limited_number_of_genomes_and_of_characters_is_remembered() -> None:
    genome._policy_by_text.clear()
    genome._text_by_policy.clear()
    most, most_characters = genome._REMEMBERED
    for seed in range(2 * most):
        assert read(write(Policy(SMALL, seed))).seed == seed
    assert len(genome._policy_by_text) == len(genome._text_by_policy) == most
    long = [Policy(SMALL, seed, ((1, 0.5),) * 60_000) for seed in range(60)]
    assert all(read(write(policy)) == policy for policy in long)
    assert len(genome._policy_by_text) == len(genome._text_by_policy) == most_characters // len(write(long[0]))
    assert 1 < len(genome._policy_by_text) < len(long) and write(long[-1]) in genome._policy_by_text


@pytest.mark.parametrize("network", NETWORKS)
def test_a_genome_is_read_as_it_was_written(network: Network) -> None:
    policy = Policy(network, 2**32 - 1, ((0, 1e-6), (3, 0.1)))
    text = write(policy)
    assert "\n" not in text and read_again(text) == policy
    assert write(read_again(text)) == text


def test_children_differ_in_one_mutation_and_know_their_parents() -> None:
    child = MUTATED.child(9, 0.1)
    assert child.parent == MUTATED and child.mutations[-1] == (9, 0.1)
    assert Policy(SMALL, 7).parent is None


def test_fingerprints_are_equal_for_equal_genomes_alone() -> None:
    others = [MUTATED.child(9, 0.1), Policy(SMALL, 8, MUTATED.mutations), Policy(SMALL, 7, MUTATED.mutations[:2])]
    assert fingerprint(read_again(write(MUTATED))) == fingerprint(MUTATED)
    assert len({fingerprint(policy) for policy in [MUTATED, *others]}) == 4
    assert fingerprint(MUTATED) == "55faf62bdabb94c6905eee1ccd802a80"


ZEROS = {
    "low": (Box((-0.0, -1.0), (1.0, 1.0)), None),
    "ints": (Box((0, -1), (1, 1)), None),
    "mean": (2, Normalisation((-0.0, 1.0), (1.0, 1.0))),
    "scale": (2, Normalisation((0, 1), (1, 1))),
}


@pytest.mark.parametrize("actions, normalisation", ZEROS.values(), ids=ZEROS)
def test_equal_genomes_have_equal_texts_whichever_was_written_first(
    actions: int | Box, normalisation: Normalisation | None
) -> None:
    odd = Policy(Network("mlp", (2,), actions, normalisation=normalisation), 7)
    plain = Policy(read_again(write(odd)).network, 7)
    texts = []
    for policies in ((odd, plain), (plain, odd)):
        genome._text_by_policy.clear()
        _network_fields.cache_clear()
        texts += [write(policy) for policy in policies]
    assert odd == plain and len(set(texts)) == 1
    assert "-0.0" not in texts[0] and "[0.0, " in texts[0]


def test_an_integer_sigma_has_the_text_of_the_float() -> None:
    texts = []
    for sigmas in ((1, 1.0), (1.0, 1)):
        genome._text_by_policy.clear()
        texts += [write(MUTATED.child(9, sigma)) for sigma in sigmas]
    assert len({*texts, write(read(changed(mutations=[*MUTATED.mutations, (9, 1)])))}) == 1


def changed(**changes: Any) -> str:
    return json.dumps({**json.loads(write(MUTATED)), **changes})


def with_network(**changes: Any) -> str:
    network = {**json.loads(write(MUTATED))["network"], **changes}
    return changed(network={name: value for name, value in network.items() if value is not None})


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected JSON"),
        ("{", "expected JSON"),
        ("[" * 100_000, "expected JSON"),
        ("[]", "expected an object of network, layout, noise, seed, mutations, got list"),
        ("{}", "got nothing"),
        (changed(extra=1), "expected an object of"),
        (changed(layout="00000000"), "expected layout"),
        (changed(layout=None), "expected layout"),
        (changed(noise="philox-normal16/0"), "of another version of germline"),
        (changed(noise=["philox"]), "expected noise philox-normal16/1"),
        (changed(seed=-1), "seed: expected a seed, a whole number from 0 to 4294967295, got -1"),
        (changed(seed=2**32), "seed: expected a seed"),
        (changed(seed=1.0), "seed: expected a seed"),
        (changed(seed=True), "seed: expected a seed"),
        (changed(mutations={}), "mutations: expected a list"),
        (changed(mutations=[[1, 0.1]] * 100_001), "at most 100,000 pairs"),
        (changed(mutations=[[1, 0.1], [1]]), r"mutations\[1\]: expected a pair"),
        (changed(mutations=[[1, 0]]), r"mutations\[0\]: expected a pair"),
        (changed(mutations=[[1, float("nan")]]), r"mutations\[0\]: expected a pair"),
        (changed(mutations=[[1, float("inf")]]), r"mutations\[0\]: expected a pair"),
        (changed(mutations=[["1", 0.1]]), r"mutations\[0\]: expected a seed"),
        (changed(network=[]), 'expected a network with "form"'),
        (with_network(form="lstm"), 'expected a network with "form"'),
        (with_network(hidden=None), "expected a network of actions"),
        (with_network(padding="same"), "expected a network of actions"),
        (with_network(hidden=[0]), "hidden: expected 0 to 16 whole numbers"),
        (with_network(hidden=[10**6, 10**6]), "at most 100,000,000 parameters"),
        (with_network(observation=[]), "observation: expected 1 to 8 whole numbers"),
        (with_network(activation="gelu"), "activation: expected tanh or relu"),
        (with_network(actions=0), "actions: expected the number"),
        (with_network(actions={"low": [1], "high": [1]}), "actions: expected the number"),
        (with_network(actions={"low": [0, 0], "high": [1]}), "actions.high: expected 2 finite numbers"),
        (with_network(normalise={"mean": [0.0] * 3}), "normalise: expected mean and scale"),
        (with_network(normalise={"mean": [0.0] * 2, "scale": [1.0] * 3}), "normalise.mean: expected 3 finite"),
        (" " * 10_000_001, "at most 10,000,000 characters"),
    ],
)
def test_an_invalid_text_is_an_error_of_one_line(text: str, message: str) -> None:
    with pytest.raises(InvalidPolicy, match=message) as refused:
        read(text)
    assert len(str(refused.value).splitlines()) == 1 and len(str(refused.value)) < 500


def test_an_image_too_small_for_three_convolutions_is_refused() -> None:
    network = {"form": "conv", "observation": [4, 20, 20], "padding": "valid", "actions": 3}
    with pytest.raises(InvalidPolicy, match="large enough for three convolutions"):
        read(changed(network=network))


# A second implementation of the noise, as a reference


def philox(counter: int, key: tuple[int, int]) -> list[int]:
    """Philox4x32-10 as in the paper: whole numbers of Python, cut to 32 bits."""
    c, (k0, k1), word = [counter, 0, 0, 0], key, 2**32
    for _ in range(10):
        p0, p1 = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [p1 // word ^ c[1] ^ k0, p1 % word, p0 // word ^ c[3] ^ k1, p0 % word]
        k0, k1 = (k0 + 0x9E3779B9) % word, (k1 + 0xBB67AE85) % word
    return c


def reference_noise(count: int, seed: int, purpose: int) -> NDArray[np.int16]:
    """The first values of a noise, times `STEP`: each word of 128 counters after the other, its low half first."""
    halves: list[int] = []
    for chunk in range(-(-count // 1024)):
        blocks = [philox(128 * chunk + i, (seed, purpose)) for i in range(128)]
        for word in range(4):
            for block in blocks:
                halves += [block[word] % 2**16, block[word] // 2**16]
    return noise_generator.table()[np.array(halves[:count])]


def reference_parameters(policy: Policy) -> NDArray[np.float32]:
    network, step = policy.network, np.float32(noise.STEP)
    parameters = np.zeros(network.parameter_count, np.float32)
    parameters += (
        np.float32(1.0) / step * reference_noise(parameters.size, policy.seed, noise.INITIAL).astype(np.float32)
    )
    begin = 0
    widths = [3, *network.hidden, network.output_count]
    for i, (inputs, units) in enumerate(pairwise(widths)):
        gain = 0.1 if i == len(network.hidden) else 1.0
        parameters[begin : begin + inputs * units] *= np.float32(gain / sqrt(inputs))
        parameters[begin + inputs * units : begin + (inputs + 1) * units] = 0.0
        begin += (inputs + 1) * units
    for seed, sigma in policy.mutations:
        parameters += (
            np.float32(sigma) / step * reference_noise(parameters.size, seed, noise.MUTATION).astype(np.float32)
        )
    return parameters


def test_the_reference_implementation_is_philox() -> None:
    """A known answer of the authors' own tests."""
    assert philox(0, (0, 0)) == [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]


@pytest.mark.parametrize("hidden", [(5,), (40, 30)])  # of one chunk of noise, and of two
def test_parameters_equal_those_of_another_implementation(hidden: tuple[int, ...]) -> None:
    policy = Policy(Network("mlp", (3,), 2, hidden), 7, MUTATED.mutations)
    parameters = replay(policy)
    assert parameters.dtype == np.float32 and np.array_equal(parameters, reference_parameters(policy))


def test_parameters_after_three_mutations_have_not_changed_since_version_1() -> None:
    assert (
        sha256(replay(MUTATED).astype("<f4").tobytes()).hexdigest()
        == "b61c90ec82a84fd83979040b65edadec3acf354d24b95f462dc20ba2bd131c24"
    )


def test_the_table_of_the_noise_has_not_changed_since_version_1() -> None:
    table = noise_generator.table()
    assert (
        sha256(table.astype("<i2").tobytes()).hexdigest()
        == "0fd621cea85316153e9c7c05fe88a74b26779d55f6932a117f35bf561a776655"
    )
    assert np.array_equal(table[: 2**15], -table[2**15 :])
    assert 4.32 < table.max() / noise.STEP < 4.33


def test_the_noise_is_normal() -> None:
    values = np.zeros(2**20, np.float32)
    noise_generator.add_noise(values, 3, noise.MUTATION, 1.0)
    x = values.astype(np.float64)
    error = 5 / sqrt(x.size)
    assert abs(x.mean()) < error
    assert abs((x**2).mean() - 1) < error * sqrt(2)
    assert abs((x**3).mean()) < error * sqrt(15)
    assert abs((x**4).mean() - 3) < error * sqrt(96) + 0.01
    assert abs(np.corrcoef(x[:-1], x[1:])[0, 1]) < error
    for limit, share in ((1.0, 0.682689), (2.0, 0.954500), (3.0, 0.997300)):
        assert abs((abs(x) < limit).mean() - share) < 0.003


def test_different_seeds_and_purposes_give_different_noise() -> None:
    noises = []
    for seed, purpose in ((1, noise.MUTATION), (2, noise.MUTATION), (1, noise.INITIAL)):
        values = np.zeros(4096, np.float32)
        noise_generator.add_noise(values, seed, purpose, 1.0)
        noises.append(values)
    for i, j in ((0, 1), (0, 2), (1, 2)):
        assert abs(np.corrcoef(noises[i], noises[j])[0, 1]) < 0.08


def test_the_beginning_of_the_noise_does_not_depend_on_its_length() -> None:
    many, few = np.zeros(5_000, np.float32), np.zeros(1_500, np.float32)
    noise_generator.add_noise(many, 5, noise.MUTATION, 0.3)
    noise_generator.add_noise(few, 5, noise.MUTATION, 0.3)
    assert np.array_equal(many[:1_500], few)


def test_initial_weights_have_the_deviation_of_their_tensor_and_biases_are_zero() -> None:
    network = Network("mlp", (100,), 50, (200,))
    parameters = initial_parameters(network, 11)
    for tensor in network.tensors:
        values = parameters[tensor.begin : tensor.begin + tensor.size]
        if tensor.name.endswith("bias"):
            assert not values.any()
        else:
            assert values.std() == pytest.approx(tensor.std, rel=0.03)
