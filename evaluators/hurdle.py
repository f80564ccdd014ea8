"""What a genome may show when some of its training is done, as plain data that goes to workers."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

Limit = float | tuple[tuple[float, float], ...]
"""The most that is let through; or steps (size, most), sizes ascending: for a genome as large as a step's size, and
smaller than the next one's. A network that is smaller than every other may be worse than all of them."""


@dataclass(frozen=True)
class Hurdle:
    """A look at the training losses when some of the training is done.

    Args:
        share: of the steps, after which it stands; what is looked at is the mean loss of the last steps before it.
        most: what each candidate may show, in their order; empty: anything.
    """

    share: float
    most: tuple[float, ...] = ()

    def step(self, steps: int, every: int) -> int:
        """After which step of a training it stands, a multiple of `every`; 0 if the training is too short."""
        return every * min(steps // every, max(1, round(self.share * steps / every)))

    def too_much(self, candidate: int, loss: float) -> bool:
        """Whether a candidate that shows this leaves; what is not finite is too much wherever there is a limit."""
        return bool(self.most) and self.most[candidate] < math.inf and not loss <= self.most[candidate]

    def of(self, candidates: slice) -> "Hurdle":
        """The same for some of the candidates."""
        return Hurdle(self.share, self.most[candidates])


def most(limit: Limit | None, size: float = 0.0) -> float:
    """The most that a genome of a size may show; infinity where there is no limit."""
    if limit is None:
        return math.inf
    if not isinstance(limit, tuple):
        return limit
    return next((value for smallest, value in reversed(limit) if size >= smallest), math.inf)


def passed(shown: Sequence[float], share: float) -> float:
    """The most that a share of some genomes have shown: so many of them would pass a hurdle of that height."""
    return sorted(shown)[max(0, math.ceil(share * len(shown)) - 1)]
