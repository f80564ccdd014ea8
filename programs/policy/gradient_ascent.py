"""OpenAI-ES (Salimans et al. 2017, arXiv 1703.03864): a mean moves along an estimate of the gradient of the return.

All that is computed are sums, products, quotients and square roots of doubles, one after the other, which IEEE 754
defines to the last bit; only the parameters are rounded to single precision, once in each generation.
"""

from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from germline.programs.policy.evolution import Generation, OpenAiEs
from germline.programs.policy.member_noise import gain_weighted_noise
from germline.programs.policy.network import Network
from germline.programs.policy.noise import Floats

Doubles = NDArray[np.float64]

MOMENTUM = 0.9
BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8


@dataclass(frozen=True)
class Moments:
    """What the optimizer remembers: means of the estimated gradients and of their squares, float64 `[P]` each, None
    before the first generation; and `BETA1` and `BETA2` to the power of the number of generations."""

    first: Doubles | None = None
    second: Doubles | None = None
    power1: float = 1.0
    power2: float = 1.0

    @property
    def nbytes(self) -> int:
        """Size in bytes."""
        return sum(each.nbytes for each in (self.first, self.second) if each is not None)


def ascended(
    parameters: Floats, moments: Moments, network: Network, evolution: OpenAiEs, generation: Generation
) -> tuple[Floats, Moments]:
    """The mean after a generation, float32 `[P]`, and the moments."""
    ascent = gradient(parameters, network, evolution, generation)
    with np.errstate(over="ignore", invalid="ignore"):  # parameters that are not finite fail when they are scored
        if evolution.optimizer == "sgd":
            first = _running_mean(moments.first, MOMENTUM, ascent)
            return (parameters + evolution.rate * first).astype(np.float32), Moments(first)
        first = _running_mean(moments.first, BETA1, ascent)
        second = _running_mean(moments.second, BETA2, ascent * ascent)
        # Products in the place of powers, whose last bits differ between machines.
        power1, power2 = moments.power1 * BETA1, moments.power2 * BETA2
        rate = evolution.rate * sqrt(1 - power2) / (1 - power1)
        moved = parameters + rate * first / (np.sqrt(second) + EPSILON)
        return moved.astype(np.float32), Moments(first, second, power1, power2)


def gradient(parameters: Floats, network: Network, evolution: OpenAiEs, generation: Generation) -> Doubles:
    """The estimated gradient of the expected utility, less the weight decay, float64 `[P]`.

    The utility of a member is its rank, scaled to -1/2 … 1/2. Of n members with utilities u and noise ε the estimate is
    1 / (n σ) Σ u ε; `generation.ranks` has 2 (n - 1) times the difference of utilities of each pair. A last member
    without a second counts as a pair.
    """
    count = 2 * len(generation.ranks)
    ascent = gain_weighted_noise(network, evolution, generation)
    ascent *= 1.0 / (2.0 * (count - 1) * count * generation.sigma)
    if evolution.decay:
        ascent -= evolution.decay * parameters.astype(np.float64)
    return ascent


def _running_mean(mean: Doubles | None, keep: float, new: Doubles) -> Doubles:
    """A running mean, which keeps this share of itself; None: 0."""
    return (1 - keep) * new if mean is None else keep * mean + (1 - keep) * new
