"""The compiled seed sequences against numpy's own."""

import copy

import numpy as np
import pytest

from germline.programs.seed_sequences import entropy, generator, seed_words

SEEDS = [0, 1, 7, 2**31 - 1, 2**32 - 1, 2**32, 2**63 - 1, 2**200 + 3]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("key", [0, 1, 299_999, 2**31 - 1, 2**32, 2**63])
def test_a_generator_begins_as_that_of_numpy(seed: int, key: int) -> None:
    expected = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(key,)))
    ours = generator(seed, key)
    assert ours.bit_generator.state == expected.bit_generator.state
    assert ours.random() == expected.random()
    assert ours.integers(1000) == expected.integers(1000)
    assert ours.standard_normal() == expected.standard_normal()
    for _ in range(2):
        assert [each.random() for each in ours.spawn(2)] == [each.random() for each in expected.spawn(2)]


def test_a_generator_can_be_copied_with_its_state() -> None:
    ours = generator(3, 5)
    ours.random()
    assert copy.deepcopy(ours).random() == ours.random()
    other = ours.bit_generator.seed_seq.generate_state(4)  # type: ignore[attr-defined]
    np.testing.assert_array_equal(other, np.random.SeedSequence(3, spawn_key=(5,)).generate_state(4))


@pytest.mark.parametrize("count", [1, 4, 9, 30])
def test_many_sequences_give_the_words_of_each(count: int) -> None:
    rng = np.random.default_rng(0)
    for length in (1, 2, 3, 4, 5, 12):
        rows = rng.integers(2**32, size=(5, length), dtype=np.uint32)
        expected = [np.random.SeedSequence(row.tolist()).generate_state(count) for row in rows]
        np.testing.assert_array_equal(seed_words(rows, count), expected)


def test_the_words_of_several_numbers_come_before_those_of_the_spawn_key() -> None:
    for numbers in ([1, 0, 0], [2**40, 1, 2**32 + 5], [0, 0, 0, 0, 0]):
        key = (3, 4, 5, 6, 7, 8, 9, 2**32 - 1)
        expected = np.random.SeedSequence(numbers, spawn_key=key).generate_state(2)
        words = np.array([[*entropy(numbers), *key]], np.uint32)
        np.testing.assert_array_equal(seed_words(words, 2)[0], expected)
