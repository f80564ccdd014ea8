"""sep-CMA-ES: CMA-ES with a diagonal covariance (Ros and Hansen 2008), with the constants of Hansen's tutorial (arXiv
1604.00772). It draws real vectors from a normal distribution and moves the distribution to the better ones.

The diagonal is enough for the few constants of a program, and needs no eigenvectors, whose last bits differ between
machines. All values are plain floats in frozen data, so that a state can be compared, kept and recomputed.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from germline.programs.cma_rates import cma_rates

SMALLEST_STEP, LARGEST_STEP = 1e-6, 8.0
"""Bounds of the step size, in units of the vectors."""


@dataclass(frozen=True, slots=True)
class Normal:
    """The state of the search: a normal distribution over vectors of n numbers, and how it moved.

    Attributes:
        mean: its mean m, n numbers.
        step: its step size σ, a factor of all deviations.
        variances: the diagonal of its covariance divided by step², n numbers.
        step_path, variance_path: the evolution paths p_σ and p_c, which are weighted means of recent steps of the mean
            and control the step size and the variances, n numbers each.
        generation: number of updates.
    """

    mean: tuple[float, ...]
    step: float
    variances: tuple[float, ...]
    step_path: tuple[float, ...]
    variance_path: tuple[float, ...]
    generation: int = 0


def initial(size: int, step: float) -> Normal:
    """Returns the distribution around 0 of `size` (≥ 1) numbers, each with standard deviation `step`."""
    zeros = (0.0,) * size
    return Normal(zeros, step, (1.0,) * size, zeros, zeros)


def draw(distribution: Normal, rng: np.random.Generator) -> tuple[float, ...]:
    """Returns a random vector."""
    noise = rng.standard_normal(len(distribution.mean))
    return tuple(
        mean + distribution.step * math.sqrt(variance) * float(z)
        for mean, variance, z in zip(distribution.mean, distribution.variances, noise, strict=True)
    )


def tell(distribution: Normal, points: Sequence[Sequence[float]], count: int) -> Normal:
    """Returns the distribution after a generation.

    Args:
        distribution: that from which the points were drawn.
        points: `[m][n]`, the draws with a fitness, the best first; at most the best `count // 2` move the mean. If
            there are none, the step size is halved.
        count: λ, the number of draws of the generation, failed ones included; at least 2.
    """
    if not points:
        return replace(distribution, step=max(SMALLEST_STEP, distribution.step / 2))
    n, chosen = len(distribution.mean), points[: max(1, count // 2)]
    weights = _weights(count, len(chosen))
    mass = 1 / sum(weight**2 for weight in weights)
    mean = tuple(sum(weight * point[i] for weight, point in zip(weights, chosen, strict=True)) for i in range(n))
    deviations = [distribution.step * math.sqrt(variance) for variance in distribution.variances]
    # Steps in units of the deviations.
    moved = [(mean[i] - distribution.mean[i]) / deviations[i] for i in range(n)]

    step_rate, damping, path_rate, path_share, spread_share, expected = cma_rates(n, mass)
    keep = math.sqrt(step_rate * (2 - step_rate) * mass)
    step_path = tuple((1 - step_rate) * old + keep * by for old, by in zip(distribution.step_path, moved, strict=True))
    length = math.sqrt(sum(value**2 for value in step_path))
    step = distribution.step * math.exp(step_rate / damping * (length / expected - 1))

    generation = distribution.generation + 1
    usual = (1.4 + 2 / (n + 1)) * expected * math.sqrt(1 - (1 - step_rate) ** (2 * generation))
    rising = 1.0 if length < usual else 0.0
    keep = rising * math.sqrt(path_rate * (2 - path_rate) * mass)
    roots = [math.sqrt(variance) for variance in distribution.variances]
    variance_path = tuple(
        (1 - path_rate) * old + keep * root * by
        for old, root, by in zip(distribution.variance_path, roots, moved, strict=True)
    )
    lost = (1 - rising) * path_rate * (2 - path_rate)
    kept = 1 - path_share - spread_share + path_share * lost
    spreads = _spreads(distribution, chosen, weights)
    variances = tuple(
        kept * variance + path_share * path**2 + spread_share * spread
        for variance, path, spread in zip(distribution.variances, variance_path, spreads, strict=True)
    )
    step = min(LARGEST_STEP, max(SMALLEST_STEP, step))
    return Normal(mean, step, variances, step_path, variance_path, generation)


def _weights(count: int, chosen: int) -> list[float]:
    """The weights of the best `chosen` of `count` draws, the best first; their sum is 1."""
    raw = [math.log(count / 2 + 0.5) - math.log(rank) for rank in range(1, chosen + 1)]
    return [value / sum(raw) for value in raw]


def _spreads(distribution: Normal, chosen: Sequence[Sequence[float]], weights: Sequence[float]) -> list[float]:
    """The weighted variance of the best draws around the last mean, in units of step², for each of n numbers."""
    spreads = []
    for i, mean in enumerate(distribution.mean):
        steps = [(point[i] - mean) / distribution.step for point in chosen]
        spreads.append(sum(weight * by**2 for weight, by in zip(weights, steps, strict=True)))
    return spreads
