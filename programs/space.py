"""What a search needs to know about a kind of genome."""

from collections.abc import Callable, Mapping, Sequence
from typing import Generic, NamedTuple, Protocol, TypeVar

import numpy as np

G = TypeVar("G")


class NewGenome(NamedTuple, Generic[G]):
    """A genome that was drawn or varied, and how many genomes over a limit of the space were rejected before it."""

    genome: G
    rejected: int = 0


class Space(Protocol[G]):
    """How genomes of one kind are drawn, varied, checked, fingerprinted, written and read.

    Every method is a pure function of its arguments: the same generator state gives the same genome.
    """

    @property
    def operators(self) -> Mapping[str, Callable[[G, np.random.Generator], G | None]]:
        """Functions that make a child from a parent, by operator name; they return None if they cannot change it."""
        ...

    def draw(self, rng: np.random.Generator) -> NewGenome[G]:
        """A random valid genome."""
        ...

    def vary(self, genome: G, operator: str, rng: np.random.Generator) -> NewGenome[G]:
        """A child of `genome` by an operator, which is applied again while the space does not admit the child.

        The genome itself if the operator cannot change it or yields no admissible child.
        """
        ...

    def check(self, genome: G) -> str | None:
        """Why a genome is not valid in this space, in one line; None if it is."""
        ...

    def refuses(self, genome: G) -> str | None:
        """Why a genome from outside may not be born, in one line; None if it may.

        It has to be valid and to keep the limits that operators keep by themselves.
        """
        ...

    def fingerprint(self, genome: G) -> str:
        """A hash that is equal for genomes that compute the same; outcomes are stored under it."""
        ...

    def sizes(self, genome: G) -> tuple[int, int]:
        """The number of parts of a genome, and the number of parts that have an effect (the others are dead)."""
        ...

    def write(self, genome: G) -> str:
        """The genome as text; `read(write(genome)) == genome`."""
        ...

    def read(self, text: str) -> G:
        """The genome of a text. It need not pass `check`.

        Raises:
            ValueError: the text is not a genome of this kind; the message says why and what to write.
        """
        ...


class CrossingSpace(Space[G], Protocol[G]):
    """A space with a crossover of two genomes."""

    def cross(self, first: G, second: G, rng: np.random.Generator) -> NewGenome[G]:
        """A child of two parents, made again while the space does not admit it."""
        ...


class PairingSpace(Space[G], Protocol[G]):
    """A space with operators of two genomes, besides those of one."""

    @property
    def pair_operators(self) -> Mapping[str, Callable[[G, G, np.random.Generator], G | None]]:
        """Functions that make a child of a parent and a donor, by operator name; they return None if they cannot."""
        ...

    def combine(self, genome: G, donor: G, operator: str, rng: np.random.Generator) -> NewGenome[G]:
        """A child of `genome` and a donor by one of `pair_operators`, which is applied again while the space does not
        admit the child. `genome` itself if there is no such child."""
        ...


class TunableSpace(Space[G], Protocol[G]):
    """A space whose genomes have a structure, and constants that a numeric search can move."""

    def structure(self, genome: G) -> str:
        """A hash that is equal for genomes that `moved` makes of one another, unless rounding makes constants equal."""
        ...

    def axes(self, genome: G) -> int:
        """The number of constants that can be moved; equal constants count as one."""
        ...

    def moved(self, genome: G, octaves: Sequence[float]) -> G:
        """The genome with other constants: a number of octaves for each axis."""
        ...

    def octaves(self, genome: G, other: G) -> tuple[float, ...]:
        """The octaves from a genome to one that `moved` made of it, as far as rounding allows."""
        ...


class NeighbourSpace(Space[G], Protocol[G]):
    """A space that lists the neighbours of a genome."""

    def neighbours(self, genome: G) -> list[G]:
        """All genomes that differ from `genome` in one choice and that the space admits as its children."""
        ...
