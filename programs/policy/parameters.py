"""The parameters of a policy: a pure function of its genome."""

import numpy as np

from germline.programs.policy.genome import Policy
from germline.programs.policy.network import Network
from germline.programs.policy.noise import INITIAL, MUTATION, Floats
from germline.programs.policy.noise_generator import add_noise
from germline.programs.policy.trajectory import Trajectory


def initial_parameters(network: Network, seed: int) -> Floats:
    """The P parameters of a network before any mutation, float32 `[P]`.

    Weights are normal with the standard deviation of their tensor, biases are zero; those of an own network may have
    another mean.
    """
    parameters = np.zeros(network.parameter_count, np.float32)
    add_noise(parameters, seed, INITIAL, 1.0)
    for tensor in network.tensors:
        parameters[tensor.span] *= np.float32(tensor.std)
        if tensor.start:
            parameters[tensor.span] += np.float32(tensor.start)
    return parameters


def mutate(parameters: Floats, seed: int, sigma: float) -> None:
    """Adds the noise of a seed, with standard deviation `sigma`, to the parameters, float32 `[P]`, in place."""
    add_noise(parameters, seed, MUTATION, sigma)


def trajectory_of(policy: Policy) -> Trajectory:
    """The parameters of a policy and the state of its optimizer, after all its steps in order."""
    trajectory = Trajectory(initial_parameters(policy.network, policy.seed))
    for step in policy.mutations:
        trajectory = trajectory.after(policy.network, policy.evolution, step)
    return trajectory


def replay(policy: Policy) -> Floats:
    """The P parameters of a policy, float32 `[P]`: its initial parameters with all its steps taken in order."""
    return trajectory_of(policy).parameters
