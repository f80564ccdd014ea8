"""A text as the difference to another text, and the ancestor that a genome is stored as a difference to.

A difference keeps the beginning and the end of the other text, the *base*. A genome has a *depth*, the number of
generations since an ancestor that is stored whole, and the base of a genome at depth d is its ancestor at the depth
whose octal digits are those of d with the last that is not 0 lowered by 1: 1749 (octal 3325) is a difference to 1748
(3324), and so on down to 1744 (3320), which is one to 1736 (3310). So a text is made of as many rows as these digits
sum up to. At seven of eight depths a difference spans one generation; at most of the other depths, eight. The
base of a child is always among the rows of which its parent is made. A chain of parents would be as long as the
lineage; of differences to the ancestor that is stored whole, each would be as long as the text. The idea is that of a
Fenwick tree, whose digits are binary (P. Fenwick, "A new data structure for cumulative frequency tables", 1994): it
would read fewer rows and store more.
"""

from dataclasses import dataclass
from typing import Final

LONGEST: Final = 4_000_000
"""Characters of the longest text that is stored as a difference: more than a policy has after 100,000 mutations, or
after 1.4 million births of an evolution strategy. A row of a few bytes can stand for no longer text, whatever a file
holds."""

DEEPEST: Final = 2**31 - 1
"""The greatest depth: that of a column of 32 bits."""

_DIGIT: Final = 8

_COST: Final = 40
"""What a row takes more as a difference, in characters: the digest of the base, two lengths and the depth."""


@dataclass(frozen=True, slots=True)
class Difference:
    """How a text differs from its base.

    Attributes:
        head: number of characters at the beginning that are those of the base.
        tail: number of characters at the end that are those of the base.
        text: what stands between them.
    """

    head: int
    tail: int
    text: str


def base_depth(depth: int) -> int:
    """The depth of the base of a genome at a depth of 1 or more; 0 is that of a genome that is stored whole."""
    step = 1
    while depth % (step * _DIGIT) == 0:
        step *= _DIGIT
    return depth - step


def difference(base: str, text: str) -> Difference:
    """The difference of a text to another text, with the longest head and then the longest tail."""
    head = _common_head(base, text)
    rest, other = base[head:], text[head:]
    tail = _common_head(rest[::-1], other[::-1])
    return Difference(head, tail, other[: len(other) - tail])


def worthwhile(base: str, text: str) -> Difference | None:
    """The difference of a text to another text; None if it takes more than half as much room as the text."""
    if len(text) > LONGEST:
        return None
    change = difference(base, text)
    return change if _COST + len(change.text) <= len(text) // 2 else None


def applied(base: str, change: Difference) -> str:
    """The text that a difference makes of its base.

    Raises:
        ValueError: head and tail are not lengths of parts of the base, or the text is longer than ``LONGEST``.
    """
    if min(change.head, change.tail) < 0 or change.head + change.tail > len(base):
        raise ValueError(
            f"expected head and tail within the {len(base)} characters of its base, got {change.head} and {change.tail}"
        )
    if change.head + change.tail + len(change.text) > LONGEST:
        raise ValueError(f"expected a difference to give at most {LONGEST:,} characters")
    return base[: change.head] + change.text + base[len(base) - change.tail :]


def _common_head(first: str, second: str) -> int:
    """Number of characters at the beginning that two texts share. Slices are compared, since a loop over the
    characters of long texts would take a thousand times as long."""
    low, high = 0, min(len(first), len(second))
    while low < high:
        middle = (low + high + 1) // 2
        if first[low:middle] == second[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low
