"""The parameters of a policy, step by step, with what an evolution strategy learns from one generation to the next."""

from dataclasses import dataclass

import numpy as np

from germline.programs.policy.evolution import Generation, Member, Rule, SeparableCma, Step
from germline.programs.policy.gradient_ascent import Moments, ascended
from germline.programs.policy.member_noise import add_member
from germline.programs.policy.network import Network
from germline.programs.policy.noise import MUTATION, Floats
from germline.programs.policy.noise_generator import add_noise
from germline.programs.policy.separable_cma import Distribution, drawn, initial_distribution, moved


@dataclass(frozen=True)
class Trajectory:
    """Where the steps of a policy lead.

    Attributes:
        parameters: float32 `[P]`; never changed in place.
        learned: by an evolution strategy besides its mean; None before its first generation.
    """

    parameters: Floats
    learned: Moments | Distribution | None = None

    @property
    def nbytes(self) -> int:
        """Size in bytes."""
        return self.parameters.nbytes + (self.learned.nbytes if self.learned else 0)

    def after(self, network: Network, rule: Rule | None, step: tuple[int, float] | Step) -> "Trajectory":
        """The trajectory with one more step, of a policy with this network and evolution strategy."""
        if isinstance(step, Generation):
            if isinstance(rule, SeparableCma):
                return Trajectory(*moved(self.parameters, self._distribution(), rule, step))
            assert rule is not None
            moments = self.learned if isinstance(self.learned, Moments) else Moments()
            return Trajectory(*ascended(self.parameters, moments, network, rule, step))
        parameters = np.empty_like(self.parameters)
        self.write_child(network, rule, step, parameters)
        return Trajectory(parameters, self.learned)

    def write_child(self, network: Network, rule: Rule | None, step: tuple[int, float] | Step, out: Floats) -> None:
        """Writes the parameters after a mutation, or those of a member, to `out`, float32 `[P]`."""
        if isinstance(step, Member) and isinstance(rule, SeparableCma):
            out[:] = drawn(self.parameters, self._distribution(), step)
            return
        out[:] = self.parameters
        if isinstance(step, Member):
            assert rule is not None and not isinstance(rule, SeparableCma)
            add_member(out, network, rule, step)
        else:
            seed, sigma = step[:2]
            add_noise(out, seed, MUTATION, sigma)

    def _distribution(self) -> Distribution:
        if isinstance(self.learned, Distribution):
            return self.learned
        return initial_distribution(len(self.parameters))
