"""What a search needs to know about a kind of genome."""

from collections.abc import Callable, Mapping
from typing import Protocol, TypeVar

import numpy as np

G = TypeVar("G")


class Space(Protocol[G]):
    """How genomes of one kind are drawn, varied, checked, fingerprinted, written and read.

    Every method is a pure function of its arguments: the same generator state gives the same genome.
    """

    rejected: int
    """How many genomes `draw`, `vary` and `cross` have thrown away so far for being over a limit."""

    @property
    def operators(self) -> Mapping[str, Callable[[G, np.random.Generator], G | None]]:
        """Named ways to make a child from a parent. None means: not possible here, try again."""
        ...

    def draw(self, rng: np.random.Generator) -> G:
        """A random genome."""
        ...

    def vary(self, genome: G, operator: str, rng: np.random.Generator) -> G:
        """A valid child of `genome`: the operator, retried on the parent until the child passes `check`."""
        ...

    def check(self, genome: G) -> str | None:
        """Why a genome is not valid, in one line; None if it is."""
        ...

    def fingerprint(self, genome: G) -> str:
        """Equal for genomes that do the same; the key under which an outcome is known."""
        ...

    def sizes(self, genome: G) -> tuple[int, int]:
        """How many parts a genome has, and how many of them make a difference (the rest is dead)."""
        ...

    def write(self, genome: G) -> str:
        """The genome as text; `read(write(genome)) == genome`."""
        ...

    def read(self, text: str) -> G:
        """The genome that a text spells.

        Raises:
            ValueError: the text is not a genome of this kind; the message says why and what to write.
        """
        ...


class CrossingSpace(Space[G], Protocol[G]):
    """A space in which two genomes can have a child."""

    def cross(self, one: G, other: G, rng: np.random.Generator) -> G:
        """A valid child of both."""
        ...


class NeighbourSpace(Space[G], Protocol[G]):
    """A space that knows what is next to a genome."""

    def neighbours(self, genome: G) -> list[G]:
        """All valid genomes that differ from it in one choice."""
        ...
