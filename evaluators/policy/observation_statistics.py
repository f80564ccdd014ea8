"""What untrained policies observe: a mean and a scale for each number, by which a network sees them alike."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field, replace
from decimal import Decimal
from math import prod

import numpy as np
from numpy.typing import NDArray

from germline.evaluators.policy.episode_seeds import episode_seeds
from germline.evaluators.policy.networks.backend import networks_of
from germline.evaluators.policy.player import Episode, play
from germline.evaluators.policy.task import PolicyTask, environments_of
from germline.programs.policy.network import Network, Normalisation
from germline.programs.policy.noise import Floats
from germline.programs.policy.parameters import initial

POLICIES = 32
"""How many untrained policies play an episode each."""

STEPS = 1_000
"""How long at most."""

CONSTANT = 1e-6
"""What varies less than this is taken for constant, and not scaled."""

DIGITS = 4
"""Mean and scale are in every genome, so they are short: a scale has so many digits, and a mean those that are worth a
thousandth of the spread or more."""


def normalisation(task: type[PolicyTask], network: Network) -> Normalisation:
    """Mean and scale of what untrained policies observe in a task: the same ones whenever it is asked.

    Raises:
        ValueError: no episode could begin, or something that is not finite was observed.
    """
    seen = _Seen(prod(network.observation))
    networks = networks_of(replace(network, normalisation=None), [initial(network, i) for i in range(POLICIES)])
    with closing(environments_of(task(), POLICIES)) as environments:
        episodes = [Episode(i, seed) for i, seed in enumerate(episode_seeds(0, 0, 0, POLICIES))]
        steps = min(STEPS, task.environment_spec().steps)
        played = play(seen.watching(networks.outputs), network.actions, environments, episodes, steps)
    if not seen.count:
        raise ValueError(f"expected episodes of {task.name} to begin, got {played[0].error}")
    mean, spread = seen.mean_and_spread()
    if not (np.isfinite(mean).all() and np.isfinite(spread).all()):
        raise ValueError(f"expected finite observations in {task.name}, got others; --set normalise=off")
    scaled = np.where(spread < CONSTANT, 1.0, spread).tolist()
    return Normalisation(
        tuple(_mean(*pair) for pair in zip(mean.tolist(), scaled, strict=True)),
        tuple(float(f"{1.0 / one:.{DIGITS}g}") for one in scaled),
    )


@dataclass
class _Seen:
    """Sums over all observations so far.

    They are of differences from the first one, which is at most root(count) deviations from the mean: so no mean takes
    digits from the spread, however large it is.
    """

    size: int
    count: int = 0
    first: NDArray[np.float64] = field(init=False)
    total: NDArray[np.float64] = field(init=False)
    squares: NDArray[np.float64] = field(init=False)

    def __post_init__(self) -> None:
        self.first, self.total, self.squares = np.zeros((3, self.size))

    def watching(
        self, outputs: Callable[[NDArray[np.int64], NDArray[np.generic]], Floats]
    ) -> Callable[[NDArray[np.int64], NDArray[np.generic]], Floats]:
        """The same networks, with all that they see added up."""

        def watched(which: NDArray[np.int64], observations: NDArray[np.generic]) -> Floats:
            flat = observations.reshape(len(which), -1).astype(np.float64)
            if not self.count:
                self.first[:] = flat[0]
            self.count += len(which)
            with np.errstate(over="ignore", invalid="ignore"):  # what is not finite shows in the end
                apart = flat - self.first
                self.total += apart.sum(0)
                self.squares += np.square(apart).sum(0)
            return outputs(which, observations)

        return watched

    def mean_and_spread(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Mean and standard deviation of each number."""
        with np.errstate(over="ignore", invalid="ignore"):
            apart = self.total / self.count
            return self.first + apart, np.sqrt(np.maximum(self.squares / self.count - apart**2, 0.0))


def _mean(mean: float, spread: float) -> float:
    """Without the decimal places that are worth less than a thousandth of the spread."""
    return round(mean, DIGITS - 1 - Decimal(spread).adjusted())
