"""The initial random numbers of an episode, the same as in gymnasium.

`gymnasium.utils.seeding.np_random(seed)` takes longer than a short episode, most of it in function calls. So numpy's
generator is compiled here: a seed sequence (O'Neill 2015) of a single 32-bit word, and PCG64, whose 128-bit state is
two 64-bit words.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from germline.programs.compiling import compiled


def uniform(
    seeds: Sequence[int], low: float | Sequence[float], high: float | Sequence[float], count: int
) -> NDArray[np.float64]:
    """Values of `np_random(seed)[0].uniform(low, high, count)` for each of n seeds, float64 `[n, count]`.

    Args:
        seeds: from 0 to 2^32 - 1.
        low, high: bounds of all numbers, or `count` bounds.
        count: how many numbers to draw for each seed.
    """
    words = np.array(seeds, np.uint32)
    values = np.empty((len(words), count))
    _random(words, values)
    lowest = np.asarray(low, np.float64)
    values *= np.asarray(high) - lowest
    values += lowest
    return values


@compiled()  # type: ignore[untyped-decorator]
def _random(seeds: NDArray[np.uint32], out: NDArray[np.float64]) -> None:
    """Fills row i of `out` with numbers from 0 to 1 of the generator of seed i."""
    pool, words = np.empty(4, np.uint32), np.empty(8, np.uint32)
    for i in range(seeds.size):
        _seed_words(seeds[i], pool, words)
        high, low = _word(words, 0), _word(words, 2)
        increment_high, increment_low = _word(words, 4), _word(words, 6)
        increment_high = (increment_high << np.uint64(1)) | (increment_low >> np.uint64(63))
        increment_low = (increment_low << np.uint64(1)) | np.uint64(1)
        high, low = _add_128(high, low, increment_high, increment_low)
        high, low = _advance(high, low, increment_high, increment_low)
        for j in range(out.shape[1]):
            high, low = _advance(high, low, increment_high, increment_low)
            mixed, rotation = high ^ low, high >> np.uint64(58)
            bits = (mixed >> rotation) | (mixed << ((np.uint64(64) - rotation) & np.uint64(63)))
            out[i, j] = np.int64(bits >> np.uint64(11)) * (1.0 / 9007199254740992.0)


@compiled()  # type: ignore[untyped-decorator]
def _seed_words(seed: Any, pool: Any, words: Any) -> None:
    """`SeedSequence(seed).generate_state(8)` into `words`."""
    factor = np.uint32(0x43B0D7E5)
    for i in range(4):
        value = (seed if i == 0 else np.uint32(0)) ^ factor
        factor = np.uint32(factor * np.uint32(0x931E8875))
        value = np.uint32(value * factor)
        pool[i] = value ^ (value >> np.uint32(16))
    for source in range(4):
        for target in range(4):
            if source != target:
                value = pool[source] ^ factor
                factor = np.uint32(factor * np.uint32(0x931E8875))
                value = np.uint32(value * factor)
                value = value ^ (value >> np.uint32(16))
                value = np.uint32(pool[target] * np.uint32(0xCA01F9DD) - value * np.uint32(0x4973F715))
                pool[target] = value ^ (value >> np.uint32(16))
    factor = np.uint32(0x8B51F9DD)
    for i in range(8):
        value = pool[i % 4] ^ factor
        factor = np.uint32(factor * np.uint32(0x58F38DED))
        value = np.uint32(value * factor)
        words[i] = value ^ (value >> np.uint32(16))


@compiled()  # type: ignore[untyped-decorator]
def _word(words: Any, i: int) -> Any:
    """The 64 bits of words i and i + 1, the low half first."""
    return np.uint64(words[i]) | (np.uint64(words[i + 1]) << np.uint64(32))


@compiled()  # type: ignore[untyped-decorator]
def _add_128(high: Any, low: Any, other_high: Any, other_low: Any) -> Any:
    """Sum of two 128-bit integers, as (high, low)."""
    total = low + other_low
    return high + other_high + np.uint64(total < low), total


@compiled()  # type: ignore[untyped-decorator]
def _advance(high: Any, low: Any, increment_high: Any, increment_low: Any) -> Any:
    """The state of PCG64 after one step, as (high, low): the 128-bit state times the generator's multiplier, plus the
    increment of the seed."""
    half, mask = np.uint64(32), np.uint64(0xFFFFFFFF)
    factor_high, factor_low = np.uint64(2549297995355413924), np.uint64(4865540595714422341)
    a, b, c, d = low >> half, low & mask, factor_low >> half, factor_low & mask
    middle = a * d + ((b * d) >> half)
    lower_middle = b * c + (middle & mask)
    carry = a * c + (middle >> half) + (lower_middle >> half)
    return _add_128(carry + high * factor_low + low * factor_high, low * factor_low, increment_high, increment_low)
