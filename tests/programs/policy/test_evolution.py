"""Evolution strategies in genomes of policies: what the text says, and the parameters that follow to the last bit."""

import json
from hashlib import sha256
from itertools import product
from math import sqrt
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from germline.programs.policy import genome, noise, noise_generator
from germline.programs.policy.evolution import (
    MOST_PAIRS,
    MOST_RANK,
    Generation,
    Member,
    Mutation,
    OpenAiEs,
    pair_gains,
)
from germline.programs.policy.genome import InvalidPolicy, Policy, read, write
from germline.programs.policy.gradient_ascent import gradient
from germline.programs.policy.member_noise import EXACT, LARGEST_NOISE, add_member, gain_weighted_noise
from germline.programs.policy.network import Network
from germline.programs.policy.parameters import initial_parameters, replay

NETWORK = Network("mlp", (3,), 2, (40, 30))
ADAM, SGD, LOW = OpenAiEs("adam", 0.05, decay=0.01), OpenAiEs("sgd", 0.5), OpenAiEs("adam", 0.05, rank=2)
STEPS = (
    Generation(5, 0.1, (3, 0, -6)),
    Generation(2**32 - 1, 0.09, (-5, 6, 1)),
    Mutation(4, 0.01),
    Generation(7, 0.08, (4, 4, -2, 0)),
)
MEAN = Policy(NETWORK, 7, STEPS, ADAM)


@pytest.fixture(autouse=True)
def _nothing_remembered() -> None:
    genome._policy_by_text.clear()
    genome._text_by_policy.clear()


def normal(seed: int, pair: int, count: int) -> NDArray[np.float64]:
    """The noise of a pair, times the whole number that its values are multiples of."""
    values = np.zeros(count, np.float32)
    noise_generator.add_member_noise(values, seed, pair, 1.0)
    return values.astype(np.float64) * noise.STEP


def full_noise(seed: int, pair: int, rank: int) -> NDArray[np.float64]:
    """The noise of a pair on the parameters of `NETWORK`, tensor by tensor as the papers have it."""
    if not rank:
        return normal(seed, pair, NETWORK.parameter_count) / noise.STEP
    numbers, parts, begin = normal(seed, pair, 10_000) / noise.STEP, [], 0
    for tensor in NETWORK.tensors:
        if len(tensor.shape) == 1:
            parts.append(numbers[begin : begin + tensor.size])
            begin += tensor.size
            continue
        inputs, units = tensor.shape
        left = numbers[begin : begin + rank * inputs].reshape(rank, inputs)
        right = numbers[begin + rank * inputs : begin + rank * (inputs + units)].reshape(rank, units)
        parts.append((left.T @ right / sqrt(rank)).ravel())
        begin += rank * (inputs + units)
    return np.concatenate(parts)


def reference(policy: Policy) -> NDArray[np.float64]:
    """The parameters by the formulas of Salimans et al. and Kingma and Ba, in double precision throughout."""
    evolution = policy.evolution
    assert evolution is not None
    x = initial_parameters(NETWORK, policy.seed).astype(np.float64)
    first, second, count = np.zeros_like(x), np.zeros_like(x), 0
    for step in policy.mutations:
        if isinstance(step, Member):
            sign = -1 if step.number % 2 else 1
            x = x + sign * step.sigma * full_noise(step.seed, step.number // 2, evolution.rank)
        elif isinstance(step, Generation):
            n = 2 * len(step.ranks)
            utilities = [gain / (2 * (n - 1)) for gain in step.ranks]
            noises = [full_noise(step.seed, pair, evolution.rank) for pair in range(len(step.ranks))]
            g = sum(u * e for u, e in zip(utilities, noises, strict=True)) / (n * step.sigma) - evolution.decay * x
            count += 1
            if evolution.optimizer == "sgd":
                first = 0.9 * first + 0.1 * g
                x = x + evolution.rate * first
            else:
                first, second = 0.9 * first + 0.1 * g, 0.999 * second + 0.001 * g**2
                rate = evolution.rate * sqrt(1 - 0.999**count) / (1 - 0.9**count)
                x = x + rate * first / (np.sqrt(second) + 1e-8)
        else:
            values = np.zeros(x.size, np.float32)
            noise_generator.add_noise(values, step[0], noise.MUTATION, step[1])
            x = x + values
    return x


@pytest.mark.parametrize("evolution", [ADAM, SGD, LOW], ids=["adam", "sgd", "low rank"])
@pytest.mark.parametrize("number", [None, 4, 5])
def test_parameters_are_those_of_the_papers(evolution: OpenAiEs, number: int | None) -> None:
    policy = Policy(NETWORK, 7, STEPS, evolution)
    if number is not None:
        policy = policy.after(Member(9, 0.1, number))
    parameters = replay(policy)
    assert parameters.dtype == np.float32
    np.testing.assert_allclose(parameters, reference(policy), rtol=0, atol=2e-6)
    assert np.abs(parameters - initial_parameters(NETWORK, 7)).max() > 0.02


@pytest.mark.parametrize(
    ("evolution", "golden"),
    [(ADAM, "e2bc2469e40eda47"), (SGD, "bd2bce5b22576fdb"), (LOW, "cbf433d3a14a3729")],
    ids=["adam", "sgd", "low rank"],
)
def test_parameters_have_not_changed_since_version_1(evolution: OpenAiEs, golden: str) -> None:
    policy = Policy(NETWORK, 7, (*STEPS, Member(9, 0.1, 3)), evolution)
    assert sha256(replay(policy).astype("<f4").tobytes()).hexdigest()[:16] == golden


@pytest.mark.parametrize("evolution", [ADAM, LOW], ids=["full", "low rank"])
def test_both_members_of_a_pair_are_as_far_from_the_mean(evolution: OpenAiEs) -> None:
    mean = Policy(NETWORK, 7, (), evolution)
    base, one, other, next_pair = (
        replay(policy).astype(np.float64)
        for policy in (mean, *(mean.after(Member(9, 0.5, number)) for number in (2, 3, 4)))
    )
    np.testing.assert_allclose(one - base, base - other, rtol=0, atol=1e-6)
    assert abs(np.corrcoef(one - base, next_pair - base)[0, 1]) < 0.1
    assert 0.3 < (one - base).std() < 0.8


def test_noise_of_low_rank_has_its_rank_and_the_variance_of_full_noise() -> None:
    weight = NETWORK.tensors[2]
    base = Policy(NETWORK, 7, (), LOW)
    deltas = [
        weight.view(replay(base.after(Member(seed, 1.0, 0))).astype(np.float64) - replay(base)) for seed in range(200)
    ]
    assert {int((np.linalg.svd(delta)[1] > 1e-4).sum()) for delta in deltas} == {2}
    assert np.std(deltas) == pytest.approx(1.0, rel=0.05)


def test_sums_over_a_generation_are_exact_in_whole_numbers() -> None:
    gains = tuple(int(gain) for gain in np.random.default_rng(0).integers(-60, 60, 30))
    for evolution in (ADAM, LOW):
        found = gain_weighted_noise(NETWORK, evolution, Generation(3, 0.1, gains))
        expected: list[int] = [0] * NETWORK.parameter_count
        for pair, gain in enumerate(gains):
            unit = noise.STEP if not evolution.rank else noise.STEP**2 * sqrt(evolution.rank)
            whole = np.rint(full_noise(3, pair, evolution.rank) * unit)
            expected = [total + gain * int(value) for total, value in zip(expected, whole, strict=True)]
        for tensor in NETWORK.tensors:
            matrix = len(tensor.shape) > 1 and evolution.rank
            unit = 1.0 / (noise.STEP**2 * sqrt(evolution.rank)) if matrix else 1.0 / noise.STEP
            if len(tensor.shape) > 1 or not evolution.rank:
                assert found[tensor.span].tolist() == [total * unit for total in expected[tensor.span]]


def test_no_sum_can_overflow() -> None:
    largest = int(np.abs(noise_generator.table().astype(np.int64)).max())
    assert largest == LARGEST_NOISE
    assert MOST_PAIRS * 4 * MOST_PAIRS * LARGEST_NOISE**2 * MOST_RANK < 2**63
    assert 4 * MOST_PAIRS * LARGEST_NOISE**2 * MOST_RANK < EXACT  # a pair alone


def test_gains_are_differences_of_mean_ranks_and_failures_rank_last() -> None:
    assert pair_gains([1.0, 2.0, 3.0, 4.0]) == (-2, -2)
    assert pair_gains([4.0, 1.0, 3.0, 2.0]) == (6, 2)
    assert pair_gains([5.0] * 6) == (0, 0, 0) == pair_gains([None] * 6)
    assert pair_gains([None, -1e9]) == (-2,)
    assert pair_gains([7.0, 7.0, 1.0]) == (0, -2)  # a last member alone against the mean rank
    assert pair_gains([-0.0, 0.0]) == (0,)
    assert pair_gains([3.0]) == (0,) and pair_gains([]) == ()
    for returns in product([1.0, 2.0, None], repeat=5):
        ranks = [sum((b or 0) < (a or 0) for b in returns) + sum(a == b for b in returns) / 2 - 0.5 for a in returns]
        differences = [2 * (a - b) for a, b in zip(ranks[::2], [*ranks[1::2], 2.0], strict=True)]
        assert list(pair_gains(returns)) == differences


@pytest.mark.parametrize(("members", "cosine"), [(48, 0.126), (256, 0.282), (255, 0.282)])
def test_an_estimate_points_along_the_gradient_as_far_as_its_pairs_allow(members: int, cosine: float) -> None:
    """With m pairs and P parameters the cosine is about √(m / (m + P)), if returns are linear in the parameters."""
    network, cosines = Network("mlp", (8,), 4, (32, 32)), []
    for seed in range(4):
        direction = np.random.default_rng(seed).standard_normal(network.parameter_count)
        returns = []
        for number in range(members):
            parameters = np.zeros(network.parameter_count, np.float32)
            add_member(parameters, network, ADAM, Member(seed, 0.1, number))
            returns.append(float(parameters @ direction))
        ascent = gradient(parameters * 0, network, ADAM, Generation(seed, 0.1, pair_gains(returns)))
        cosines.append(float(ascent @ direction / np.linalg.norm(ascent) / np.linalg.norm(direction)))
    assert np.mean(cosines) == pytest.approx(cosine, abs=0.04)


def test_whole_numbers_of_a_strategy_are_written_as_they_are_read() -> None:
    policy = Policy(NETWORK, 7, (), OpenAiEs("sgd", 1, decay=2))
    text = write(policy)
    genome._policy_by_text.clear()
    genome._text_by_policy.clear()
    assert write(read(text)) == text and '"rate": 1.0, "decay": 2.0' in text


def test_a_genome_with_a_strategy_is_read_as_it_was_written_with_and_without_what_is_remembered() -> None:
    policies = [MEAN, MEAN.after(Member(8, 0.1, 0)), MEAN.after(Member(8, 0.1, 2 * MOST_PAIRS - 1))]
    policies.append(MEAN.after(Generation(8, 0.1, (1, -1))))
    texts = [write(policy) for policy in policies]
    for policy, text in zip(policies, texts, strict=True):
        assert text.startswith(write(MEAN)[:-2]) and read(text) == policy and json.loads(text)
        genome._policy_by_text.clear()
        assert read(text) == policy  # parsed whole
        genome._policy_by_text.clear()
        read(write(MEAN))
        assert read(text) == policy  # parsed as a child
        genome._text_by_policy.clear()
        assert write(policy) == text
    assert len({genome.fingerprint(policy) for policy in policies}) == len(policies)
    assert (
        '"evolution": {"name": "openai-es/1", "optimizer": "adam", "rate": 0.05, "decay": 0.01, "rank": 0}' in texts[0]
    )
    assert texts[1].endswith(", [7, 0.08, [4,4,-2,0]], [8, 0.1, 0]]}")


def test_the_text_of_a_policy_without_a_strategy_has_no_word_of_it() -> None:
    plain = Policy(NETWORK, 7, ((1, 0.5),))
    assert "evolution" not in write(plain) and write(plain) != write(Policy(NETWORK, 7, ((1, 0.5),), ADAM))


def changed(**changes: Any) -> str:
    data = json.loads(write(MEAN))
    return json.dumps({name: value for name, value in {**data, **changes}.items() if value is not None})


def strategy(**changes: Any) -> str:
    return changed(evolution={**ADAM.data(), **changes})


@pytest.mark.parametrize("remembered", [False, True])
@pytest.mark.parametrize(
    ("last", "message"),
    [
        ([1, 0.1, -1], "expected the number of a member, or the ranks of a generation of openai-es/1, got -1"),
        ([1, 0.1, 2 * MOST_PAIRS], "expected the number of a member"),
        ([1, 0.1, True], "expected the number of a member"),
        ([1, 0.1, 1.0], "expected the number of a member"),
        ([1, 0.1, "3"], "expected the number of a member"),
        ([1, 0.1, None], "expected the number of a member"),
        ([1, 0.1, []], "expected the number of a member"),
        ([1, 0.1, [9, 0]], r"expected .* ranks .*, got \[9, 0\]"),
        ([1, 0.1, [1.0]], "expected the number of a member"),
        ([1, 0.1, [[2], [3]]], "expected the number of a member"),
        ([1, 0.1, [0] * (MOST_PAIRS + 1)], "expected the number of a member"),
        ([1, -0.1, 3], "expected a pair of seed and σ"),
        ([1, 0.1, 3, 4], "expected a pair of seed and σ"),
        ([2**32, 0.1, 3], "expected a seed"),
        ([1], "expected a pair"),
    ],
)
def test_a_step_that_is_none_is_refused_in_a_line(last: Any, message: str, remembered: bool) -> None:
    text = f"{write(MEAN)[:-2]}, {json.dumps(last)}]}}"
    if not remembered:
        genome._policy_by_text.clear()
    with pytest.raises(InvalidPolicy, match=rf"^mutations\[4\]: {message}") as error:
        read(text)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (changed(evolution=None), r"mutations\[0\]: expected a pair, since the policy has no evolution strategy"),
        (changed(evolution=[]), "evolution: expected an object with .name.: openai-es/1 or sep-cma-es/1, got"),
        (strategy(more=1), "evolution: expected an object of"),
        (strategy(name="openai-es/0"), "expected an object with .name.: openai-es/1 or sep-cma-es/1, got"),
        (strategy(optimizer="lion"), "expected optimizer adam or sgd, got 'lion'"),
        (strategy(optimizer=[]), "expected optimizer adam or sgd"),
        (strategy(rate=-1), "expected rate from 0 to 1e6"),
        (strategy(rate=float("nan")), "expected rate from 0 to 1e6"),
        (strategy(decay="1"), "expected decay from 0 to 1e6"),
        (strategy(rank=MOST_RANK + 1), "expected rank from 0 to 64"),
        (strategy(rank=1.0), "expected rank from 0 to 64"),
        (write(MEAN)[:-2] + ', [1, 0.1]], "seed": [[1, 0.1], [2, 0.1]]}', "seed: expected a seed"),
        (write(MEAN)[:-2] + ", [1, 0.1]}", "expected JSON"),
    ],
)
def test_a_text_that_is_no_policy_is_refused_in_a_line(text: str, message: str) -> None:
    write(MEAN)
    with pytest.raises(InvalidPolicy, match=message) as error:
        read(text)
    assert "\n" not in str(error.value)
