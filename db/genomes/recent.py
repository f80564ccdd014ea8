"""The genomes that were used last, within a bound of memory."""

from collections import OrderedDict
from typing import Final, NamedTuple

MOST_CHARACTERS: Final = 32_000_000
"""Characters of all texts together."""
_COST: Final = 300
"""What a genome takes in memory besides its text, counted as characters."""


class Genome(NamedTuple):
    """A genome with its whole text, and what its row says of its base; ``depth`` is 0 and ``base`` None without one."""

    kind: str
    base: str | None
    depth: int
    text: str


class RecentGenomes:
    """Genomes by digest; when they have more than ``MOST_CHARACTERS`` characters, those that were not used for longest
    are dropped."""

    def __init__(self) -> None:
        self._genomes: OrderedDict[str, Genome] = OrderedDict()
        self._characters = 0

    def __contains__(self, digest: object) -> bool:
        return digest in self._genomes

    def get(self, digest: str) -> Genome | None:
        """The genome of a digest, which is then the last used; None if it is not here."""
        genome = self._genomes.get(digest)
        if genome is not None:
            self._genomes.move_to_end(digest)
        return genome

    def add(self, digest: str, genome: Genome) -> None:
        """Adds a genome, or replaces that of the digest."""
        self.drop(digest)
        self._genomes[digest] = genome
        self._characters += len(genome.text) + _COST
        while self._characters > MOST_CHARACTERS and len(self._genomes) > 1:
            self.drop(next(iter(self._genomes)))

    def drop(self, digest: str) -> None:
        """Drops the genome of a digest, if it is here."""
        genome = self._genomes.pop(digest, None)
        if genome is not None:
            self._characters -= len(genome.text) + _COST

    def clear(self) -> None:
        """Drops all genomes."""
        self._genomes.clear()
        self._characters = 0
