"""The noise of a generation's members on the parameters of a network: independent, or of low rank.

With rank r > 0 the noise on a weight matrix of m inputs and n units is A B / √r, where A is `[m, r]` and B is `[r, n]`,
both normal (EGGROLL, Sarkar et al. 2025, arXiv 2511.16652): r (m + n) random numbers in place of m n. Biases get
independent noise. Noise is whole numbers times a unit, so that sums over a generation are exact.
"""

from collections.abc import Iterator
from math import sqrt
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from germline.programs.compiling import compiled
from germline.programs.policy.evolution import Generation, Member, OpenAiEs
from germline.programs.policy.network import Network, ParameterTensor
from germline.programs.policy.noise import STEP, Floats, Integers
from germline.programs.policy.noise_generator import add_member_noise, weighted_noise

LARGEST_NOISE = 17_715
"""The largest absolute value of `noise_generator.table`."""

EXACT = 2**53
"""Whole numbers up to this are exact in double precision, whatever the order of a sum of them."""


def add_member(parameters: Floats, network: Network, evolution: OpenAiEs, member: Member) -> None:
    """Adds the noise of a member of a generation to the P parameters of its mean, float32 `[P]`, in place."""
    pair, sigma = member.number // 2, -member.sigma if member.number % 2 else member.sigma
    if evolution.rank == 0:
        add_member_noise(parameters, member.seed, pair, sigma)
        return
    factors = _factors(network, evolution.rank, member.seed, pair)
    for part in _parts(network, evolution.rank):
        left, right = part.matrices(factors)
        _add_product(parameters[part.tensor.span], left, right, sigma * part.unit)


def gain_weighted_noise(network: Network, evolution: OpenAiEs, generation: Generation) -> NDArray[np.float64]:
    """The sum over the pairs of a generation of the gain of the pair times its noise, float64 `[P]`."""
    gains = np.array(generation.ranks, np.int64)
    if evolution.rank == 0:
        return weighted_noise(network.parameter_count, generation.seed, gains).astype(np.float64) / STEP
    parts = list(_parts(network, evolution.rank))
    sums = np.zeros(network.parameter_count, np.int64)
    together = max(1, EXACT // (int(np.abs(gains).max()) * LARGEST_NOISE**2 * evolution.rank + 1))
    for first in range(0, len(gains), together):
        pairs = [pair for pair in range(first, min(first + together, len(gains))) if gains[pair]]
        factors = [_factors(network, evolution.rank, generation.seed, pair) for pair in pairs]
        for part in parts if pairs else ():
            sums[part.tensor.span] += part.weighted(np.array(factors), gains[pairs]).astype(np.int64)
    total: NDArray[np.float64] = sums.astype(np.float64)
    for part in parts:
        total[part.tensor.span] *= part.unit
    return total


class _Part(NamedTuple):
    """The noise on a tensor: `begin` is the place of its random numbers among those of a pair, and `unit` what the
    whole numbers are multiples of. A bias has no `rank`."""

    tensor: ParameterTensor
    begin: int
    rank: int
    unit: float

    @property
    def inputs(self) -> int:
        """Rows of the matrix: its inputs; of an own network its units."""
        return self.tensor.size // self.tensor.columns

    @property
    def size(self) -> int:
        return self.rank * (self.inputs + self.tensor.columns) if self.rank else self.tensor.size

    def matrices(self, factors: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """A as `[r, inputs]` and B as `[r, units]` from the random numbers of a pair; of a bias 1 and its noise."""
        own = factors[self.begin : self.begin + self.size]
        if not self.rank:
            return np.ones((1, 1)), own[None]
        cut = self.rank * self.inputs
        return own[:cut].reshape(self.rank, -1), own[cut:].reshape(self.rank, -1)

    def weighted(self, factors: NDArray[np.float64], gains: Integers) -> NDArray[np.float64]:
        """The sum over pairs of the gain, `[pairs]`, times the noise, from random numbers `[pairs, numbers]`."""
        own = factors[:, self.begin : self.begin + self.size]
        if not self.rank:
            total: NDArray[np.float64] = gains.astype(np.float64) @ own
            return total
        cut = self.rank * self.inputs
        left = (own[:, :cut] * gains[:, None]).reshape(-1, self.inputs)
        product: NDArray[np.float64] = left.T @ own[:, cut:].reshape(-1, self.tensor.columns)
        return product.reshape(-1)


def _parts(network: Network, rank: int) -> Iterator[_Part]:
    begin = 0
    for tensor in network.tensors:
        matrix = len(tensor.shape) > 1
        unit = 1.0 / (STEP * STEP * sqrt(rank)) if matrix else 1.0 / STEP
        part = _Part(tensor, begin, rank if matrix else 0, unit)
        yield part
        begin += part.size


def _factors(network: Network, rank: int, seed: int, pair: int) -> NDArray[np.float64]:
    """The random numbers of a pair for all tensors, whole numbers `[numbers]`."""
    *_, last = _parts(network, rank)
    numbers = np.zeros(last.begin + last.size, np.float32)
    add_member_noise(numbers, seed, pair, float(STEP))
    return numbers.astype(np.float64)


@compiled()  # type: ignore[untyped-decorator]
def _add_product(parameters: Any, left: Any, right: Any, scale: float) -> None:
    """Adds `scale` times Aᵀ B to the weights of a matrix, float32 `[inputs * units]`, in place.

    A and B are float64 `[r, inputs]` and `[r, units]` of whole numbers, so that their product is exact; the sum is in
    double precision and rounded once.
    """
    units = right.shape[1]
    products = np.empty(units)
    for i in range(left.shape[1]):
        row = parameters[i * units : (i + 1) * units]
        products[:] = 0.0
        for k in range(left.shape[0]):
            factor = left[k, i]
            for j in range(units):
                products[j] += factor * right[k, j]
        for j in range(units):
            row[j] = row[j] + scale * products[j]
