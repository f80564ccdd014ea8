"""The records of a search: proposals, individuals with their outcomes, and reviews."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from germline.db.records import Individual as Individual  # the record of the database is the search's own
from germline.evaluators.outcome import Outcome

RngFor = Callable[[int], np.random.Generator]
"""Returns the random generator of a birth; it depends on the run's seed and the birth alone."""


@dataclass(frozen=True, slots=True)
class Scored:
    """An individual with its outcome."""

    individual: Individual
    outcome: Outcome

    @property
    def fitness(self) -> float | None:
        """Fitness of the outcome, higher is better; None if the outcome is not ok."""
        return self.outcome.fitness


@dataclass(frozen=True, slots=True)
class Ask:
    """A question to an operator from outside: its name, a random number below 2^32, and the individuals to show, the
    fittest of the run and the latest."""

    operator: str
    seed: int
    best: tuple[Scored, ...]
    recent: tuple[Scored, ...]


@dataclass(frozen=True, slots=True)
class Proposal:
    """A genome that a strategy wants scored, with its origin.

    `genome` is an object of the run's space, `parents` are birth numbers, and `rejected` is the number of genomes that
    the space rejected for a limit before it returned this genome. With `ask` an operator from outside is asked for a
    child of the first parent, and `genome` is born if it gives none.
    """

    genome: Any
    parents: tuple[int, ...]
    operator: str
    rejected: int = 0
    ask: Ask | None = None


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
    """The input of `Strategy.advance`: a block of births in birth order, or the outcomes of reviews."""

    births: tuple[Scored, ...] = ()
    reviews: tuple[Reviewed, ...] = ()
