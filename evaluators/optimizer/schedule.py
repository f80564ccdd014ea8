"""Schedules: the input `lr` of programs over a training."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Shape = Literal["cosine", "linear", "constant"]

SHAPES: Mapping[str, Shape] = {"cosine": "cosine", "linear": "linear", "constant": "constant"}
"""The shapes by name."""

_SHAPES_IN_WORDS: Mapping[Shape, str] = {
    "cosine": "falls to 0 as half a cosine",
    "linear": "falls to 0 as a line",
    "constant": "stays",
}


@dataclass(frozen=True)
class Schedule:
    """A linear warm-up to 1, and what follows. The default is the schedule of every search.

    Attributes:
        shape: after the warm-up, half a cosine to 0, a line to 0, or constant 1.
        warmup: share of the steps over which the value rises to 1; at least the first step.
    """

    shape: Shape = "cosine"
    warmup: float = 0.05

    def value(self, step: int, steps: int) -> float:
        """Returns the value at a step, counted from 0, of a training of so many steps."""
        warmup = max(1, round(self.warmup * steps))
        if step < warmup:
            return (step + 1) / warmup
        if self.shape == "constant":
            return 1.0
        left = max(1, steps - warmup)
        if self.shape == "linear":
            return 1.0 - (step - warmup) / left
        return 0.5 + 0.5 * math.cos(math.pi * (step - warmup) / left)

    def __str__(self) -> str:
        return f"lr rises over {self.warmup:.0%} of the steps, then {_SHAPES_IN_WORDS[self.shape]}".replace("%", " %")


SCHEDULE = Schedule()
"""The schedule of every search: up to 1 over 5 % of the steps, then half a cosine to 0."""
