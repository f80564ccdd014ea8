"""Numpy's seed sequences (O'Neill 2015) and the generators that begin with them, compiled: a search needs one for every
birth and another for every policy's episodes, and numpy's own take several times as long.
"""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.random.bit_generator import ISpawnableSeedSequence
from numpy.typing import NDArray

from germline.programs.compiling import compiled

POOL = 4
"""Words of the state of a seed sequence."""

Words = NDArray[np.uint32]


def generator(seed: int, key: int) -> np.random.Generator:
    """The same as `np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(key,)))`.

    Args:
        seed, key: from 0.
    """
    words = seed_words(np.array([[*entropy([seed]), *_split(key)]], np.uint32), 2 * POOL)
    return np.random.Generator(np.random.PCG64(_KnownWords(seed, key, words[0])))  # type: ignore[arg-type]


def entropy(numbers: Sequence[int]) -> list[int]:
    """The words of whole numbers from 0 as a seed sequence has them before the words of its spawn key."""
    words = [word for number in numbers for word in _split(number)]
    return words + [0] * (POOL - len(words))


def seed_words(entropies: Words, count: int) -> Words:
    """What `SeedSequence.generate_state(count)` returns for each of n sequences, uint32 `[n, count]`.

    Args:
        entropies: the words that each sequence is made of, uint32 `[n, k]`; k below 4 is as if 0 followed.
        count: number of words.
    """
    words = np.empty((len(entropies), count), np.uint32)
    _generate(entropies, words)
    return words


class _KnownWords(ISpawnableSeedSequence):
    """A seed sequence whose first words, which a bit generator asks for, are known; all else is left to numpy's own."""

    def __init__(self, seed: int, key: int, words: Words) -> None:
        self.seed, self.key, self.words = seed, key, words

    @cached_property
    def whole(self) -> np.random.SeedSequence:
        return np.random.SeedSequence(self.seed, spawn_key=(self.key,))

    def generate_state(self, n_words: int, dtype: Any = np.uint32) -> Any:
        state = self.words.view(dtype)
        return state if len(state) == n_words else self.whole.generate_state(n_words, dtype)

    def spawn(self, n_children: int) -> Any:
        return self.whole.spawn(n_children)


def _split(number: int) -> list[int]:
    """The 32-bit words of a number, the lowest first; one word for 0."""
    words = [number & 0xFFFFFFFF]
    while number := number >> 32:
        words.append(number & 0xFFFFFFFF)
    return words


@compiled()  # type: ignore[untyped-decorator]
def _generate(entropies: Words, out: Words) -> None:
    """`seed_words`, written to `out`."""
    pool = np.empty(4, np.uint32)
    for row in range(entropies.shape[0]):
        factor = np.uint32(0x43B0D7E5)
        for i in range(max(4, entropies.shape[1])):
            for target in range(4):
                if i >= 4 or i == target:
                    word = entropies[row, i] if i < entropies.shape[1] else np.uint32(0)
                    value = word ^ factor
                    factor = np.uint32(factor * np.uint32(0x931E8875))
                    value = np.uint32(value * factor)
                    value ^= value >> np.uint32(16)
                    pool[target] = value if i < 4 else _mixed(pool[target], value)
            if i == 3:
                factor = _mix_pool(pool, factor)
        factor = np.uint32(0x8B51F9DD)
        for i in range(out.shape[1]):
            value = pool[i % 4] ^ factor
            factor = np.uint32(factor * np.uint32(0x58F38DED))
            value = np.uint32(value * factor)
            out[row, i] = value ^ (value >> np.uint32(16))


@compiled()  # type: ignore[untyped-decorator]
def _mix_pool(pool: Words, factor: Any) -> Any:
    """Mixes every word of the pool into every other; returns the next factor."""
    for source in range(4):
        for target in range(4):
            if source != target:
                value = pool[source] ^ factor
                factor = np.uint32(factor * np.uint32(0x931E8875))
                value = np.uint32(value * factor)
                pool[target] = _mixed(pool[target], value ^ (value >> np.uint32(16)))
    return factor


@compiled()  # type: ignore[untyped-decorator]
def _mixed(word: Any, other: Any) -> Any:
    mixed = np.uint32(word * np.uint32(0xCA01F9DD) - other * np.uint32(0x4973F715))
    return mixed ^ (mixed >> np.uint32(16))
