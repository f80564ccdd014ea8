"""Mean and scale of the observations of untrained policies, with which networks standardise their observations."""

from dataclasses import dataclass, field, replace
from decimal import Decimal
from math import prod

import numpy as np
from numpy.typing import NDArray

from germline.evaluators.policy.episode_seeds import episode_seeds
from germline.evaluators.policy.networks.backend import networks_of
from germline.evaluators.policy.player import Episode, Forward, play
from germline.evaluators.policy.task import PolicyTask, opened_environments
from germline.programs.policy.network import Network, Normalisation
from germline.programs.policy.noise import Floats
from germline.programs.policy.parameters import initial_parameters

POLICIES = 32
"""Number of untrained policies, which play one episode each."""

MAX_STEPS = 1_000
"""Decisions after which an episode of an untrained policy is cut."""

CONSTANT = 1e-6
"""An element with a smaller standard deviation counts as constant and is not scaled."""

DIGITS = 4
"""Significant digits of a scale; a mean is rounded to about a thousandth of the deviation. Few, since both are in the
text of every genome."""


def normalisation(task: type[PolicyTask], network: Network) -> Normalisation:
    """Mean and scale (1 / standard deviation) of each element of the observations of untrained policies; a function of
    the task and the network alone.

    Raises:
        ValueError: no episode could begin, or an observation was not finite.
        InvalidTask, UnknownTask: the environments cannot be built.
    """
    sums = _ObservationSums(prod(network.observation))
    untrained = [initial_parameters(network, seed) for seed in range(POLICIES)]
    networks = networks_of(replace(network, normalisation=None), untrained, task=task)
    with opened_environments(task(), POLICIES) as environments:
        episodes = [Episode(i, seed) for i, seed in enumerate(episode_seeds(0, 0, 0, POLICIES))]
        steps = min(MAX_STEPS, task.environment_spec().steps)
        forward, assign_slots = sums.recording(networks.forward), networks.assign_slots
        results = play(forward, network.actions, environments, episodes, steps, assign_slots)
    if not sums.count:
        raise ValueError(f"expected episodes of {task.name} to begin, got {results[0].error}")
    mean, deviation = sums.mean_and_deviation()
    if not (np.isfinite(mean).all() and np.isfinite(deviation).all()):
        raise ValueError(f"expected finite observations in {task.name}, got others; --set normalise=off")
    divisors = np.where(deviation < CONSTANT, 1.0, deviation).tolist()
    return Normalisation(
        tuple(_rounded_mean(*pair) for pair in zip(mean.tolist(), divisors, strict=True)),
        tuple(float(f"{1.0 / divisor:.{DIGITS}g}") for divisor in divisors),
    )


@dataclass
class _ObservationSums:
    """Sums and sums of squares over all observations so far, for each element.

    Summed are differences from the first observation, which is at most √count deviations from the mean: so the
    deviation loses no digits to a large mean.
    """

    size: int
    count: int = 0
    first: NDArray[np.float64] = field(init=False)
    total: NDArray[np.float64] = field(init=False)
    squares: NDArray[np.float64] = field(init=False)

    def __post_init__(self) -> None:
        self.first, self.total, self.squares = np.zeros((3, self.size))

    def recording(self, forward: Forward) -> Forward:
        """The same forward pass, which also adds its observations to the sums."""

        def recording_forward(policies: NDArray[np.int64], observations: NDArray[np.generic]) -> Floats:
            flat = observations.reshape(len(policies), -1).astype(np.float64)
            if not self.count:
                self.first[:] = flat[0]
            self.count += len(policies)
            with np.errstate(over="ignore", invalid="ignore"):  # the caller checks that the sums are finite
                difference = flat - self.first
                self.total += difference.sum(0)
                self.squares += np.square(difference).sum(0)
            return forward(policies, observations)

        return recording_forward

    def mean_and_deviation(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Mean and standard deviation of each element, float64 `[size]` each."""
        with np.errstate(over="ignore", invalid="ignore"):
            mean_difference = self.total / self.count
            variance = np.maximum(self.squares / self.count - mean_difference**2, 0.0)
            return self.first + mean_difference, np.sqrt(variance)


def _rounded_mean(mean: float, deviation: float) -> float:
    """A mean, rounded to a decimal place of about a thousandth of the deviation."""
    return round(mean, DIGITS - 1 - Decimal(deviation).adjusted())
