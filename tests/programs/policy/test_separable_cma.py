"""sep-CMA-ES for parameters of policies: the numbers of another implementation, and genomes that keep its ranks."""

import json
from hashlib import sha256
from math import log, sqrt
from typing import Any

import numpy as np
import pytest

from germline.programs.policy import genome, noise, noise_generator
from germline.programs.policy.evolution import Generation, Member, SeparableCma
from germline.programs.policy.genome import InvalidPolicy, Policy, read, write
from germline.programs.policy.network import Network
from germline.programs.policy.parameters import initial_parameters, replay, trajectory_of
from germline.programs.policy.separable_cma import WEIGHT_STEP, Distribution, recombination_weights
from germline.search.strategies.sep_cma_es import Normal, tell

NETWORK = Network("mlp", (3,), 2, (5,))
RULE = SeparableCma(13)
STEPS = (Generation(5, 0.1, (3, 0, 12, 7, 5, 1)), Generation(6, 0.1, (1,)), Generation(7, 0.1, (4, 2, 11)))


@pytest.fixture(autouse=True)
def _nothing_remembered() -> None:
    genome._policy_by_text.clear()
    genome._text_by_policy.clear()


def drawn(distribution: Normal, seed: int, number: int) -> list[float]:
    """The point of a member, from the noise of its genome."""
    values = np.zeros(len(distribution.mean), np.float32)
    noise_generator.add_member_noise(values, seed, number, 1.0)
    return [
        mean + distribution.step * sqrt(variance) * float(value)
        for mean, variance, value in zip(distribution.mean, distribution.variances, values, strict=True)
    ]


def test_mean_deviations_and_members_are_those_of_another_implementation() -> None:
    rng = np.random.default_rng(0)
    policy = Policy(NETWORK, 7, (), RULE)
    count = NETWORK.parameter_count
    zeros = (0.0,) * count
    start = tuple(initial_parameters(NETWORK, 7).astype(float).tolist())
    expected = Normal(start, 0.1, (1.0,) * count, zeros, zeros)
    for seed in range(60):
        ranks = tuple(rng.permutation(13)[:6].tolist())
        if seed % 3:  # members far on one side win, so that the step size rises
            sides = [sum(drawn(expected, seed, number)) for number in range(13)]
            ranks = tuple(int(number) for number in np.argsort(sides)[:6])
        member = replay(policy.after(Member(seed, 0.1, 12)))
        np.testing.assert_allclose(member, drawn(expected, seed, 12), rtol=2e-3, atol=2e-4)
        expected = tell(expected, [drawn(expected, seed, number) for number in ranks], 13)
        policy = policy.after(Generation(seed, 0.1, ranks))
    learned = trajectory_of(policy).learned
    assert isinstance(learned, Distribution)
    np.testing.assert_allclose(replay(policy), expected.mean, rtol=2e-3, atol=2e-4)
    np.testing.assert_allclose(learned.variances, expected.variances, rtol=2e-3)
    assert 0.1 * learned.factor == pytest.approx(expected.step, rel=2e-3) and learned.factor > 1.5
    assert np.ptp(learned.variances) > 0.3


def test_parameters_have_not_changed_since_version_1() -> None:
    policy = Policy(NETWORK, 7, (*STEPS, Member(9, 0.1, 3)), RULE)
    assert sha256(replay(policy).astype("<f4").tobytes()).hexdigest()[:16] == "7e594289ed3c8bd3"


def test_weights_are_logarithmic_and_add_up_to_1() -> None:
    weights = recombination_weights(99, 49) / WEIGHT_STEP
    raw = np.array([log(50) - log(rank) for rank in range(1, 50)])
    np.testing.assert_allclose(weights, raw / raw.sum(), atol=1 / WEIGHT_STEP)
    assert weights.sum() == pytest.approx(1.0, abs=49 / WEIGHT_STEP)
    assert recombination_weights(2, 1).tolist() == [WEIGHT_STEP]


def test_no_sum_of_squares_can_overflow() -> None:
    largest = int(np.abs(noise_generator.table().astype(np.int64)).max())
    assert 2 * WEIGHT_STEP * largest**2 < 2**53


def test_squares_are_summed_exactly() -> None:
    weights = np.array([3, 0, 5], np.int64)
    values = []
    for number in range(3):
        row = np.zeros(2_000, np.float32)
        noise_generator.add_member_noise(row, 4, number, 1.0)
        values.append((row.astype(np.float64) * noise.STEP).astype(np.int64))
    expected = sum(weight * value**2 for weight, value in zip(weights, values, strict=True))
    assert (noise_generator.weighted_squares(2_000, 4, weights) == expected).all()


def test_the_best_members_are_kept_in_order_and_failures_are_none_of_them() -> None:
    assert SeparableCma(7).ranks([1.0, None, 5.0, 2.0, 5.0, None, 3.0]) == (2, 4, 6)
    assert SeparableCma(7).ranks([None] * 6 + [1.0]) == (6,)
    assert SeparableCma(4).ranks([None] * 4) == ()


def test_a_genome_is_read_as_it_was_written() -> None:
    policy = Policy(NETWORK, 7, (*STEPS, Member(9, 0.1, 3)), RULE)
    text = write(policy)
    genome._policy_by_text.clear()
    assert read(text) == policy and '"evolution": {"name": "sep-cma-es/1", "members": 13}' in text


def test_parameters_beyond_all_bounds_are_not_finite_without_a_warning(recwarn: pytest.WarningsRecorder) -> None:
    """Such a genome can only come from elsewhere: each of its generations has the same members far from the mean."""
    lengths = []
    for number in range(500):
        values = np.zeros(NETWORK.parameter_count, np.float32)
        noise_generator.add_member_noise(values, 5, number, 1.0)
        lengths.append(float(np.square(values).sum()))
    far = tuple(int(number) for number in np.argsort(lengths)[:-6:-1])
    policy = Policy(NETWORK, 7, (Generation(5, 1e6, far),) * 800, SeparableCma(500))
    assert not np.isfinite(replay(policy)).all()
    assert not np.isfinite(replay(policy.after(Member(5, 1e6, 1)))).all()
    assert not recwarn.list


def changed(evolution: Any = None, last: Any = None) -> str:
    data = json.loads(write(Policy(NETWORK, 7, STEPS, RULE)))
    genome._policy_by_text.clear()
    steps = [*data["mutations"], *([last] if last else [])]
    return json.dumps({**data, "evolution": evolution or data["evolution"], "mutations": steps})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (changed(last=[1, 0.1, [1, 1]]), "ranks of a generation of sep-cma-es/1, got \\[1, 1\\]"),
        (changed(last=[1, 0.1, [13]]), "ranks of a generation of sep-cma-es/1"),
        (changed(last=[1, 0.1, [-1]]), "ranks of a generation of sep-cma-es/1"),
        (changed(last=[1, 0.1, [0, 1, 2, 3, 4, 5, 6]]), "ranks of a generation of sep-cma-es/1"),
        (changed(last=[1, 0.1, []]), "ranks of a generation of sep-cma-es/1"),
        (changed({"name": "sep-cma-es/1", "members": 1}), "expected members from 2 to 20000, got 1"),
        (changed({"name": "sep-cma-es/1", "members": 13.0}), "expected members from 2"),
        (changed({"name": "sep-cma-es/1"}), "expected an object of members, name, got name"),
        (changed({"name": "sep-cma-es/2", "members": 13}), "expected an object with .name.: openai-es/1 or sep-cma"),
    ],
)
def test_a_text_that_is_no_policy_is_refused_in_a_line(text: str, message: str) -> None:
    with pytest.raises(InvalidPolicy, match=message) as error:
        read(text)
    assert "\n" not in str(error.value)
