"""sep-CMA-ES (Ros and Hansen 2008) for the parameters of a policy, with the constants of Hansen's tutorial.

Draws are the mean with normal noise, times a step size and a deviation for each parameter, which are learned. The noise
is whole numbers, so its weighted sums are exact; what else is computed IEEE 754 defines to the last bit. Logarithms and
exponentials, which differ between machines, are those of `decimal`, which are correctly rounded.
"""

from dataclasses import dataclass
from decimal import Context, Decimal
from functools import lru_cache
from math import fsum, sqrt

import numpy as np
from numpy.typing import NDArray

from germline.programs.cma_rates import cma_rates
from germline.programs.policy.evolution import Generation, Member, SeparableCma
from germline.programs.policy.noise import STEP, Floats, Integers
from germline.programs.policy.noise_generator import add_member_noise, weighted_noise, weighted_squares

Doubles = NDArray[np.float64]

WEIGHT_STEP = 2**20
"""Weights are multiples of 1 / WEIGHT_STEP."""

SMALLEST_FACTOR, LARGEST_FACTOR = 1e-6, 1e6

_CONTEXT = Context(prec=25)


@dataclass(frozen=True)
class Distribution:
    """What is learned besides the mean.

    Attributes:
        variances: of each parameter, times the squared step size, float64 `[P]`.
        step_path, variance_path: the evolution paths, float64 `[P]` each.
        factor: the step size, as a factor of the σ of a generation.
        power: what the step path keeps in a generation, squared, to the power of the number of generations.
    """

    variances: Doubles
    step_path: Doubles
    variance_path: Doubles
    factor: float = 1.0
    power: float = 1.0

    @property
    def nbytes(self) -> int:
        """Size in bytes."""
        return self.variances.nbytes + self.step_path.nbytes + self.variance_path.nbytes


def initial_distribution(count: int) -> Distribution:
    """The distribution of `count` parameters with the same variance each."""
    return Distribution(np.ones(count), np.zeros(count), np.zeros(count))


def drawn(parameters: Floats, distribution: Distribution, member: Member) -> Floats:
    """The parameters of a member, float32 `[P]`."""
    noise = np.zeros(len(parameters), np.float32)
    add_member_noise(noise, member.seed, member.number, 1.0)
    with np.errstate(over="ignore", invalid="ignore"):  # parameters that are not finite fail when they are scored
        scale = member.sigma * distribution.factor * np.sqrt(distribution.variances)
        return (parameters + scale * noise).astype(np.float32)


def moved(
    parameters: Floats, old: Distribution, evolution: SeparableCma, generation: Generation
) -> tuple[Floats, Distribution]:
    """The mean after a generation, float32 `[P]`, and the distribution."""
    weights = recombination_weights(evolution.members, len(generation.ranks))
    by_member = np.zeros(evolution.members, np.int64)
    by_member[list(generation.ranks)] = weights
    n, mass = len(parameters), 1 / fsum((weight / WEIGHT_STEP) ** 2 for weight in weights)
    rates = cma_rates(n, mass)
    # The step of the mean, and the spread of the best draws, in units of the deviations.
    by = weighted_noise(n, generation.seed, by_member) / (STEP * float(WEIGHT_STEP))
    spread = weighted_squares(n, generation.seed, by_member) / (STEP * float(STEP) * WEIGHT_STEP)
    roots = np.sqrt(old.variances)

    kept = 1 - rates.step
    step_path = kept * old.step_path + sqrt(rates.step * (2 - rates.step) * mass) * by
    length = sqrt(fsum((step_path * step_path).tolist()))
    change = Decimal(rates.step / rates.damping * (length / rates.length - 1)).exp(_CONTEXT)
    factor = min(LARGEST_FACTOR, max(SMALLEST_FACTOR, old.factor * float(change)))

    power = old.power * kept * kept
    rising = length < (1.4 + 2 / (n + 1)) * rates.length * sqrt(1 - power)
    keep = sqrt(rates.path * (2 - rates.path) * mass) if rising else 0.0
    lost = 0.0 if rising else rates.path * (2 - rates.path)
    share = 1 - rates.path_share - rates.spread_share + rates.path_share * lost
    with np.errstate(over="ignore", invalid="ignore"):  # as for members
        variance_path = (1 - rates.path) * old.variance_path + keep * (roots * by)
        variances = share * old.variances + rates.path_share * (variance_path * variance_path)
        variances += rates.spread_share * (old.variances * spread)
        mean = parameters + generation.sigma * old.factor * (roots * by)
        return mean.astype(np.float32), Distribution(variances, step_path, variance_path, factor, power)


@lru_cache(maxsize=16)
def recombination_weights(members: int, chosen: int) -> Integers:
    """Weights of the best `chosen` of λ = `members` draws, the best first, times `WEIGHT_STEP`: int64 `[chosen]`."""
    logarithms = [Decimal(rank).ln(_CONTEXT) for rank in range(1, chosen + 1)]
    most = (Decimal(members + 1) / 2).ln(_CONTEXT)
    raw = [float(most - logarithm) for logarithm in logarithms]
    total = fsum(raw)
    return np.array([round(WEIGHT_STEP * (value / total)) for value in raw], np.int64)
