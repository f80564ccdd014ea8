"""The parameters of a policy, step by step, with what an evolution strategy remembers between generations.

The estimate of the gradient is that of OpenAI-ES (Salimans et al. 2017, arXiv 1703.03864), and so are the optimizers.
All that is computed are sums, products, quotients and square roots of doubles, one after the other, which IEEE 754
defines to the last bit; only the parameters are rounded to single precision, once in each generation.
"""

from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from germline.programs.policy.evolution import Evolution, Generation, Member, Step
from germline.programs.policy.member_noise import add_member, gain_weighted_noise
from germline.programs.policy.network import Network
from germline.programs.policy.noise import MUTATION, Floats
from germline.programs.policy.noise_generator import add_noise

Doubles = NDArray[np.float64]

MOMENTUM = 0.9
BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8


@dataclass
class Trajectory:
    """The parameters of a policy and the state of its optimizer, which `advance` changes in place.

    Attributes:
        parameters: float32 `[P]`.
        first, second: the mean of gradients, and of their squares, float64 `[P]`; None before they are needed.
        power1, power2: BETA1 and BETA2 to the power of the number of generations.
    """

    parameters: Floats
    first: Doubles | None = None
    second: Doubles | None = None
    power1: float = 1.0
    power2: float = 1.0

    @property
    def nbytes(self) -> int:
        """Size in bytes."""
        return sum(each.nbytes for each in (self.parameters, self.first, self.second) if each is not None)

    def copy(self) -> "Trajectory":
        """A copy that shares nothing with this one."""
        first, second = (None if each is None else each.copy() for each in (self.first, self.second))
        return Trajectory(self.parameters.copy(), first, second, self.power1, self.power2)

    def advance(self, network: Network, evolution: Evolution | None, step: tuple[int, float] | Step) -> None:
        """Takes a step of a policy with this network and strategy."""
        if isinstance(step, Generation):
            assert evolution is not None
            self._move(evolution, gradient(network, evolution, step, self.parameters))
        else:
            perturb(self.parameters, network, evolution, step)

    def _move(self, evolution: Evolution, ascent: Doubles) -> None:
        """Moves the parameters along an estimate of the gradient, float64 `[P]`, to higher returns."""
        with np.errstate(over="ignore", invalid="ignore"):  # parameters that are not finite fail when they are scored
            if evolution.optimizer == "sgd":
                self.first = _decayed(self.first, MOMENTUM, ascent)
                self.parameters[:] = self.parameters + evolution.rate * self.first
                return
            self.first = _decayed(self.first, BETA1, ascent)
            self.second = _decayed(self.second, BETA2, ascent * ascent)
            # Products in the place of powers, whose last bits differ between machines.
            self.power1 *= BETA1
            self.power2 *= BETA2
            rate = evolution.rate * sqrt(1 - self.power2) / (1 - self.power1)
            self.parameters[:] = self.parameters + rate * self.first / (np.sqrt(self.second) + EPSILON)


def _decayed(mean: Doubles | None, keep: float, new: Doubles) -> Doubles:
    """A running mean, which keeps this share of itself; None: 0."""
    return (1 - keep) * new if mean is None else keep * mean + (1 - keep) * new


def gradient(network: Network, evolution: Evolution, generation: Generation, parameters: Floats) -> Doubles:
    """The estimated gradient of the expected utility, less the weight decay, float64 `[P]`.

    The utility of a member is its rank, scaled to -1/2 … 1/2. Of n members with utilities u and noise ε the estimate is
    1 / (n σ) Σ u ε; `generation.gains` has 2 (n - 1) times the differences of utilities of each pair. A last member
    without a second counts as a pair.
    """
    count = 2 * len(generation.gains)
    ascent = gain_weighted_noise(network, evolution, generation)
    ascent *= 1.0 / (2.0 * (count - 1) * count * generation.sigma)
    if evolution.decay:
        ascent -= evolution.decay * parameters.astype(np.float64)
    return ascent


def perturb(parameters: Floats, network: Network, evolution: Evolution | None, step: tuple[int, float] | Step) -> None:
    """Adds the noise of a mutation or a member to the P parameters, float32 `[P]`, in place."""
    if isinstance(step, Member):
        assert evolution is not None
        add_member(parameters, network, evolution, step)
    else:
        seed, sigma = step[:2]
        add_noise(parameters, seed, MUTATION, sigma)
