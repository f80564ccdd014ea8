"""A cache of the least-recently-used kind, bounded by the number and the size of its values."""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Recent(Generic[K, V]):
    """A least-recently-used cache: when it is full, the values that were not used for longest are dropped.

    Args:
        most: most values that are kept.
        most_characters: most characters of all values together; a value of more characters is not kept at all.
    """

    def __init__(self, most: int, most_characters: int) -> None:
        self.most = most
        self.most_characters = most_characters
        self._values: OrderedDict[K, tuple[V, int]] = OrderedDict()
        self._characters = 0

    def __len__(self) -> int:
        return len(self._values)

    def __contains__(self, key: K) -> bool:
        return key in self._values

    def get(self, key: K) -> V | None:
        """The value of a key, which is then the last used; None if it is not here."""
        kept = self._values.get(key)
        if kept is None:
            return None
        self._values.move_to_end(key)
        return kept[0]

    def add(self, key: K, value: V, characters: int) -> None:
        """Adds a value that counts as so many characters. If the key has a value already, that stays, and is not used
        by this."""
        if key in self._values or characters > self.most_characters:
            return
        self._values[key] = value, characters
        self._characters += characters
        while len(self._values) > self.most or self._characters > self.most_characters:
            _, (_, dropped) = self._values.popitem(last=False)
            self._characters -= dropped

    def clear(self) -> None:
        """Drops all values."""
        self._values.clear()
        self._characters = 0
