"""Early stopping at a hurdle, as plain data that goes to workers."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

Limit = float | tuple[tuple[float, float], ...]
"""Early-stopping threshold: the largest intermediate loss allowed.

A tuple of pairs (size, threshold), sizes ascending, makes the threshold depend on the size of the genome: each pair
holds from its size up to the size of the next pair. A genome below the first size has no threshold, since the smallest
network may be the worst of all.
"""


@dataclass(frozen=True)
class Hurdle:
    """A point of a training at which candidates with too large a loss are dropped.

    Args:
        share: of the training's steps that lie before the hurdle, 0 to 1. The loss at the hurdle is the mean over the
            last steps before it.
        limits: the largest loss allowed for each candidate, in their order; empty: no candidate is dropped.
    """

    share: float
    limits: tuple[float, ...] = ()

    def step(self, steps: int, every: int) -> int:
        """Returns the step after which the hurdle stands, a multiple of `every`; 0 if the training is too short."""
        return every * min(steps // every, max(1, round(self.share * steps / every)))

    def is_exceeded(self, candidate: int, loss: float) -> bool:
        """Returns True if a candidate is dropped.

        Args:
            candidate: its index in `limits`.
            loss: its loss at the hurdle. A loss that is not finite exceeds every finite limit.
        """
        limited = bool(self.limits) and self.limits[candidate] < math.inf
        return limited and not (math.isfinite(loss) and loss <= self.limits[candidate])


def limit_for(limit: Limit | None, size: float = 0.0) -> float:
    """Returns the threshold for a genome of a size; infinity if it has no threshold."""
    if limit is None:
        return math.inf
    if not isinstance(limit, tuple):
        return limit
    return next((threshold for smallest, threshold in reversed(limit) if size >= smallest), math.inf)


def limit_passing(losses: Sequence[float], share: float) -> float:
    """Returns the smallest of `losses` (not empty) that at least a share of them, 0 to 1, do not exceed."""
    return sorted(losses)[max(0, math.ceil(share * len(losses)) - 1)]
