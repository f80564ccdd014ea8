"""The search space of policies: a genome is drawn as one seed, and a mutation appends one more seed."""

from collections.abc import Callable, Mapping

import numpy as np

from germline.programs.policy import genome
from germline.programs.policy.genome import Policy
from germline.programs.policy.network import Network
from germline.programs.policy.noise import SEEDS
from germline.programs.space import NewGenome


class PolicySpace:
    """Policies that share one network.

    Args:
        network: the network of every policy.
        sigma: standard deviation of the noise of the operator `mutate`. A strategy with another deviation calls the
            method `mutate` instead.
    """

    def __init__(self, network: Network, sigma: float) -> None:
        self.network = network
        self.sigma = sigma

    @property
    def operators(self) -> Mapping[str, Callable[[Policy, np.random.Generator], Policy | None]]:
        return {"mutate": lambda policy, rng: self.mutate(policy, self.sigma, rng)}

    def draw(self, rng: np.random.Generator) -> NewGenome[Policy]:
        return NewGenome(Policy(self.network, int(rng.integers(SEEDS))))

    def vary(self, genome: Policy, operator: str, rng: np.random.Generator) -> NewGenome[Policy]:
        child = self.operators[operator](genome, rng)
        assert child is not None
        return NewGenome(child)

    def mutate(self, policy: Policy, sigma: float, rng: np.random.Generator) -> Policy:
        """A child with noise of standard deviation `sigma` on every parameter."""
        return policy.child(int(rng.integers(SEEDS)), sigma)

    def check(self, genome: Policy) -> str | None:
        return None if genome.network == self.network else "expected a policy with the network of the run"

    def refuses(self, genome: Policy) -> str | None:
        return self.check(genome)

    def fingerprint(self, policy: Policy) -> str:
        return genome.fingerprint(policy)

    def sizes(self, genome: Policy) -> tuple[int, int]:
        return 1 + len(genome.mutations), 1 + len(genome.mutations)

    def write(self, policy: Policy) -> str:
        return genome.write(policy)

    def read(self, text: str) -> Policy:
        return genome.read(text)
