"""The initial random numbers of an episode, the same as in gymnasium.

`gymnasium.utils.seeding.np_random(seed)` takes longer than a short episode, most of it in function calls. So numpy's
generator is compiled here: PCG64, whose 128-bit state is two 64-bit words.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from germline.programs.compiling import compiled
from germline.programs.seed_sequences import seed_words


def uniform(
    seeds: Sequence[int], low: float | Sequence[float], high: float | Sequence[float], count: int
) -> NDArray[np.float64]:
    """Values of `np_random(seed)[0].uniform(low, high, count)` for each of n seeds, float64 `[n, count]`.

    Args:
        seeds: from 0 to 2^32 - 1.
        low, high: bounds of all numbers, or `count` bounds.
        count: how many numbers to draw for each seed.
    """
    values = np.empty((len(seeds), count))
    _random(seed_words(np.array(seeds, np.uint32)[:, None], 8), values)
    lowest = np.asarray(low, np.float64)
    values *= np.asarray(high) - lowest
    values += lowest
    return values


@compiled()  # type: ignore[untyped-decorator]
def _random(seeds: NDArray[np.uint32], out: NDArray[np.float64]) -> None:
    """Fills row i of `out` with numbers from 0 to 1 of the generator that begins with row i of `seeds`, `[n, 8]`."""
    for i in range(seeds.shape[0]):
        words = seeds[i]
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
