"""A cache of the texts of genomes, of the least-recently-used kind, within a bound of memory.

A text belongs to its digest for good, so nothing that is here can become wrong, whatever happens to the rows.
"""

from collections import OrderedDict
from typing import Final

MOST_CHARACTERS: Final = 32_000_000
"""Characters of all texts together."""
_COST: Final = 300
"""What a text takes in memory besides its characters, counted as characters."""


class RecentTexts:
    """A least-recently-used cache of texts by digest: when they have more than ``MOST_CHARACTERS`` characters together,
    those that were not used for longest are dropped."""

    def __init__(self) -> None:
        self._texts: OrderedDict[str, str] = OrderedDict()
        self._characters = 0

    def get(self, digest: str) -> str | None:
        """The text of a digest, which is then the last used; None if it is not here."""
        text = self._texts.get(digest)
        if text is not None:
            self._texts.move_to_end(digest)
        return text

    def add(self, digest: str, text: str) -> None:
        """Adds a text, or replaces that of the digest. The last text stays, whatever its length."""
        self._drop(digest)
        self._texts[digest] = text
        self._characters += len(text) + _COST
        while self._characters > MOST_CHARACTERS and len(self._texts) > 1:
            self._drop(next(iter(self._texts)))

    def _drop(self, digest: str) -> None:
        text = self._texts.pop(digest, None)
        if text is not None:
            self._characters -= len(text) + _COST
