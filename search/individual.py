"""The records that a search passes around: births, what became of them, and what a strategy asks for."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from germline.evaluators.outcome import Outcome

RngFor = Callable[[int], np.random.Generator]
"""The generator of a birth, by its number: the same numbers whenever and wherever it is asked for."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A genome that a strategy wants scored, with its origin.

    `genome` is an object of the run's space and `parents` are birth numbers; `rejected` counts the genomes over a limit
    of the space that were rejected in its place.
    """

    genome: Any
    parents: tuple[int, ...]
    operator: str
    rejected: int = 0


@dataclass(frozen=True, slots=True)
class Individual:
    """A birth in a run. `cached_from` is the earlier birth with the same fingerprint, whose outcome it shares;
    `rejected` is how many genomes were thrown away in its place, for being over the limits of the space."""

    birth: int
    block: int
    parents: tuple[int, ...]
    operator: str
    genome: str
    fingerprint: str
    cached_from: int | None = None
    rejected: int = 0


@dataclass(frozen=True, slots=True)
class Scored:
    """An individual with its outcome."""

    individual: Individual
    outcome: Outcome

    @property
    def fitness(self) -> float | None:
        return self.outcome.fitness


@dataclass(frozen=True, slots=True)
class Review:
    """A request to score an individual again, at a higher rung or with a fresh seed."""

    individual: Individual
    rung: int
    seed: int


@dataclass(frozen=True, slots=True)
class Reviewed:
    """A review with its outcome."""

    review: Review
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Block:
    """News for a strategy: births with their outcomes in birth order, or answers to the reviews it asked for."""

    births: tuple[Scored, ...] = ()
    reviews: tuple[Reviewed, ...] = ()
