"""The generator of `noise.py`, compiled: it adds noise to parameters.

It is apart from the constants because to import the compiler takes a third of a second, which commands that only read
genomes do without.
"""

from functools import cache
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from germline.programs.compiling import compiled
from germline.programs.policy.noise import MEMBER, STEP, Floats, Integers


def add_noise(values: Floats, seed: int, purpose: int, scale: float) -> None:
    """Adds `scale` times the noise of a seed to `values`, in place.

    Args:
        values: P numbers, float32 `[P]`; element i gets element i of the noise.
        seed: from 0 to 2^32 - 1.
        purpose: `INITIAL` or `MUTATION`.
        scale: the standard deviation; rounded to float32.
    """
    _add(values, np.uint32(seed), np.uint32(purpose), np.float32(scale) / np.float32(STEP), table(), np.uint32(0))


@cache
def table() -> NDArray[np.int16]:
    """The 65,536 noise values times `STEP`, int16; the second half is the negated first half."""
    distribution = NormalDist()
    upper = np.array([distribution.inv_cdf(0.5 + (i + 0.5) / 2**16) for i in range(2**15)])
    upper = np.rint(upper / np.sqrt(np.mean(upper**2)) * STEP).astype(np.int16)
    return np.concatenate([upper, -upper])


def add_member_noise(values: Floats, seed: int, pair: int, scale: float) -> None:
    """Adds `scale` times the noise of a pair of a generation to `values`, in place; see `add_noise`.

    Args:
        values: P numbers, float32 `[P]`.
        seed: of the generation.
        pair: number of the pair, from 0.
        scale: σ, negative for the second member of the pair; rounded to float32.
    """
    _add(values, np.uint32(seed), np.uint32(MEMBER), np.float32(scale) / np.float32(STEP), table(), np.uint32(pair))


def weighted_noise(count: int, seed: int, weights: Integers) -> Integers:
    """The sum over the pairs of a generation of a whole number times `STEP` times the noise of the pair; exact.

    Args:
        count: number of noise values of a pair, P.
        seed: of the generation.
        weights: the number of each pair, int64 `[pairs]`.

    Returns:
        int64 `[P]`.
    """
    sums = np.zeros(count, np.int64)
    _sum(sums, np.uint32(seed), np.uint32(MEMBER), weights, table(), False)
    return sums


def weighted_squares(count: int, seed: int, weights: Integers) -> Integers:
    """As `weighted_noise`, with the squares of `STEP` times the noise."""
    sums = np.zeros(count, np.int64)
    _sum(sums, np.uint32(seed), np.uint32(MEMBER), weights, table(), True)
    return sums


@compiled(inline="always")  # type: ignore[untyped-decorator]
def _words(words: Any, chunk: int, stream: Any, seed: Any, purpose: Any) -> None:
    """Writes the words of the 128 counters of a chunk, `[4, 128]`: Philox with the key (seed, purpose)."""
    for i in range(128):
        c0, c1, c2, c3 = np.uint32(128 * chunk + i), np.uint32(stream), np.uint32(0), np.uint32(0)
        k0, k1 = seed, purpose
        for _ in range(10):
            p0 = np.uint64(0xD2511F53) * np.uint64(c0)
            p1 = np.uint64(0xCD9E8D57) * np.uint64(c2)
            c0 = np.uint32(p1 >> np.uint64(32)) ^ c1 ^ k0
            c1 = np.uint32(p1)
            c2 = np.uint32(p0 >> np.uint64(32)) ^ c3 ^ k1
            c3 = np.uint32(p0)
            k0 = np.uint32(k0 + np.uint32(0x9E3779B9))
            k1 = np.uint32(k1 + np.uint32(0xBB67AE85))
        words[0, i], words[1, i], words[2, i], words[3, i] = c0, c1, c2, c3


@compiled()  # type: ignore[untyped-decorator]
def _add(values: Any, seed: Any, purpose: Any, scale: Any, table: Any, stream: Any) -> None:
    """`add_noise` in chunks of 1,024 values, which 128 counters yield; `scale` is divided by `STEP`."""
    words = np.empty((4, 128), np.uint32)  # 128 counters fill vector registers, and their 2 KB stay in the L1 cache
    halves = words.reshape(512).view(np.uint16)
    for chunk in range((values.size + 1023) // 1024):
        _words(words, chunk, stream, seed, purpose)
        first = 1024 * chunk
        for i in range(min(1024, values.size - first)):
            values[first + i] += scale * np.float32(table[halves[i]])


@compiled()  # type: ignore[untyped-decorator]
def _sum(sums: Any, seed: Any, purpose: Any, weights: Any, table: Any, squares: bool) -> None:
    """`weighted_noise` or `weighted_squares`, added to `sums`."""
    words = np.empty((4, 128), np.uint32)
    halves = words.reshape(512).view(np.uint16)
    for chunk in range((sums.size + 1023) // 1024):
        first = 1024 * chunk
        for pair in range(weights.size):
            if weights[pair] != 0:
                _words(words, chunk, np.uint32(pair), seed, purpose)
                for i in range(min(1024, sums.size - first)):
                    value = np.int64(table[halves[i]])
                    sums[first + i] += weights[pair] * (value * value if squares else value)
