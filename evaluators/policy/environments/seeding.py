"""The random numbers of an episode, as gymnasium draws them.

`gymnasium.utils.seeding.np_random(seed)` takes longer than a short episode, most of it in the calls. What numpy does
with a seed is compiled here: a seed sequence (O'Neill 2015) of one word, and PCG64, whose 128 bits are two words.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from germline.programs.compiling import compiled


def uniform(
    seeds: Sequence[int], low: float | Sequence[float], high: float | Sequence[float], count: int
) -> NDArray[np.float64]:
    """What `np_random(seed)[0].uniform(low, high, count)` gives for each of some seeds, float64 `[n, count]`.

    Args:
        seeds: from 0 to 2^32 - 1.
        low, high: one number, or `count` of them.
    """
    words = np.array(seeds, np.uint32)
    found = np.empty((len(words), count))
    _random(words, found)
    lowest = np.asarray(low, np.float64)
    found *= np.asarray(high) - lowest
    found += lowest
    return found


@compiled()  # type: ignore[untyped-decorator]
def _random(seeds: NDArray[np.uint32], out: NDArray[np.float64]) -> None:
    """Fills row i of `out` with the numbers from 0 to 1 of the generator of seed i."""
    pool, words = np.empty(4, np.uint32), np.empty(8, np.uint32)
    for i in range(seeds.size):
        _spread(seeds[i], pool, words)
        high, low = _word(words, 0), _word(words, 2)
        step_high, step_low = _word(words, 4), _word(words, 6)
        step_high = (step_high << np.uint64(1)) | (step_low >> np.uint64(63))
        step_low = (step_low << np.uint64(1)) | np.uint64(1)
        high, low = _sum(high, low, step_high, step_low)
        high, low = _next(high, low, step_high, step_low)
        for j in range(out.shape[1]):
            high, low = _next(high, low, step_high, step_low)
            mixed, turn = high ^ low, high >> np.uint64(58)
            drawn = (mixed >> turn) | (mixed << ((np.uint64(64) - turn) & np.uint64(63)))
            out[i, j] = np.int64(drawn >> np.uint64(11)) * (1.0 / 9007199254740992.0)


@compiled()  # type: ignore[untyped-decorator]
def _spread(seed: Any, pool: Any, words: Any) -> None:
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
def _word(words: Any, at: int) -> Any:
    return np.uint64(words[at]) | (np.uint64(words[at + 1]) << np.uint64(32))


@compiled()  # type: ignore[untyped-decorator]
def _sum(high: Any, low: Any, other_high: Any, other_low: Any) -> Any:
    """The sum of two numbers of 128 bits."""
    total = low + other_low
    return high + other_high + np.uint64(total < low), total


@compiled()  # type: ignore[untyped-decorator]
def _next(high: Any, low: Any, step_high: Any, step_low: Any) -> Any:
    """The state after this one: times the multiplier of PCG64, plus the step of this seed."""
    half, mask = np.uint64(32), np.uint64(0xFFFFFFFF)
    by_high, by_low = np.uint64(2549297995355413924), np.uint64(4865540595714422341)
    a, b, c, d = low >> half, low & mask, by_low >> half, by_low & mask
    middle = a * d + ((b * d) >> half)
    other = b * c + (middle & mask)
    carried = a * c + (middle >> half) + (other >> half)
    return _sum(carried + high * by_low + low * by_high, low * by_low, step_high, step_low)
