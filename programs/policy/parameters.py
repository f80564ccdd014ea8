"""The parameters of a policy: a pure function of its genome."""

import numpy as np

from germline.programs.policy.genome import Policy
from germline.programs.policy.network import Network
from germline.programs.policy.noise import INITIAL, MUTATION, Floats, add_noise


def initial(network: Network, seed: int) -> Floats:
    """float32 of shape `[P]`: weights normal with the standard deviation of their leaf, biases 0."""
    found = np.zeros(network.parameters, np.float32)
    add_noise(found, seed, INITIAL, 1.0)
    for leaf in network.leaves:
        found[leaf.begin : leaf.begin + leaf.size] *= np.float32(leaf.std)
    return found


def mutate(parameters: Floats, seed: int, sigma: float) -> None:
    """One mutation, in place."""
    add_noise(parameters, seed, MUTATION, sigma)


def replay(policy: Policy) -> Floats:
    """float32 of shape `[P]`: the noise of every seed, added up anew."""
    found = initial(policy.network, policy.seed)
    for seed, sigma in policy.mutations:
        mutate(found, seed, sigma)
    return found
