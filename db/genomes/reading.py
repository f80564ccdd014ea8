"""Makes texts of rows of ``genome``: the only place that does.

Rows may come from anywhere. A chain of differences has at most ``MOST_ROWS`` rows, whatever they say, since depths must
fall as `base_depth` has it; a difference gives at most ``LONGEST`` characters; and all that is made of the rows of a
query is bounded too, since a file of many small differences to one long text could stand for terabytes.
"""

from collections.abc import Callable, Iterable
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, select

from germline.db.errors import GenomesTooLong
from germline.db.genomes.difference import DEEPEST, Difference, applied, base_depth
from germline.db.genomes.recent import Genome, RecentGenomes
from germline.db.schema import genome

MOST_ROWS: Final = 32
"""Rows that a text is made of, at most: each but the last has a depth with a bit less than the one before."""

MOST_KEPT: Final = 2 * 10**9
"""Characters that may be made of differences for a list, which keeps all of them in memory."""

MOST_PASSING: Final = 2 * 10**9
MOST_PASSING_TIMES: Final = 1000
"""Characters that may be made of differences one after the other: `MOST_PASSING`, and `MOST_PASSING_TIMES` as many as
are stored. Policies of 17,000 generations need 1,000 times as many."""

_CHUNK: Final = 500


class StoredGenome(NamedTuple):
    """A row of ``genome``. ``base``, ``head``, ``tail`` and ``depth`` are None if ``text`` is the whole text. In a
    damaged file a value may have any type."""

    digest: str
    kind: str
    base: str | None
    head: int | None
    tail: int | None
    depth: int | None
    text: str


STORED_COLUMNS: Final = [genome.c[name] for name in StoredGenome._fields]
"""The columns that a query must select for `StoredGenome`."""


class GenomeTexts:
    """The texts of genomes whose rows were loaded.

    Rows of neighbours share most of their bases, so the texts that were made last are remembered, and the rows of a
    page with all their bases are read at once, level by level. The texts themselves are made when they are asked for.

    Args:
        kept: whether the caller keeps all texts in memory.
    """

    def __init__(self, kept: bool) -> None:
        self._kept = kept
        self._rows: dict[str, StoredGenome] = {}
        self._bases: dict[str, Genome] = {}
        self._recent = RecentGenomes()
        self._stored = self._made = 0

    def load(self, connection: Connection, rows: Iterable[StoredGenome]) -> None:
        """Takes rows, in the place of those before, and reads the rows of their bases."""
        self._rows, self._bases = {row.digest: row for row in rows}, {}
        level = list(self._rows.values())
        for _ in range(MOST_ROWS):
            self._stored += sum(len(row.text) for row in level if isinstance(row.text, str))
            wanted = []
            for key in {row.base: None for row in level if isinstance(row.base, str)}:
                if (known := self._recent.get(key)) is not None:
                    self._bases[key] = known  # held, for it may be dropped before it is needed
                elif key not in self._rows:
                    wanted.append(key)
            if not wanted:
                return
            level = list(_rows_of(connection, wanted))
            self._rows |= {row.digest: row for row in level}

    def load_keys(self, connection: Connection, keys: Iterable[str]) -> None:
        """The same for the rows of some digests; a digest without a row is left out."""
        self.load(connection, list(_rows_of(connection, list(keys))))

    def __contains__(self, digest: str) -> bool:
        """Whether the row of a digest was loaded, or is a base of such a row."""
        return digest in self._rows or digest in self._bases

    def text(self, digest: str) -> Any:
        """The text of a genome whose row was loaded. In a damaged file a whole text may have any type.

        Raises:
            ValueError: the row does not tell the text.
            GenomesTooLong: it would be more text than memory or time allows.
        """
        row = self._rows.get(digest)
        if row is not None and row.base is None:
            return row.text
        return self.genome(digest).text

    def genome(self, digest: str) -> Genome:
        """The genome of a row that was loaded, or of a base of such a row.

        Raises:
            ValueError: the row does not tell the text.
            GenomesTooLong: it would be more text than memory or time allows.
        """
        changes: list[StoredGenome] = []
        key = digest
        while (known := self._recent.get(key) or self._bases.get(key)) is None:
            row = self._rows.get(key)
            if row is None:
                raise ValueError(f"expected a genome {key!r:.40} in its chain of bases, got none")
            if row.base is None:
                known = _whole(row)
                self._recent.add(key, known)
                break
            _check_difference(row)
            changes.append(row)
            key = row.base
            if len(changes) >= MOST_ROWS:
                raise ValueError(f"expected a chain of at most {MOST_ROWS} bases")
        for row in reversed(changes):
            known = self._child(known, row)
            self._recent.add(row.digest, known)
        return known

    def _child(self, base: Genome, row: StoredGenome) -> Genome:
        assert row.head is not None and row.tail is not None and row.depth is not None
        if base.kind != row.kind:
            raise ValueError(f"expected a base of kind {row.kind!r:.20}, got {base.kind!r:.20}")
        if base.depth != base_depth(row.depth):
            raise ValueError(f"expected a base at depth {base_depth(row.depth)}, got depth {base.depth}")
        text = applied(base.text, Difference(row.head, row.tail, row.text))
        self._made += len(text)
        most = MOST_KEPT if self._kept else MOST_PASSING + MOST_PASSING_TIMES * self._stored
        if self._made > most:
            raise GenomesTooLong(
                f"the genomes that were asked for have more than {most:,} characters as whole texts: ask for fewer"
            )
        return Genome(row.kind, row.base, row.depth, text)


def _rows_of(connection: Connection, keys: list[str]) -> Iterable[StoredGenome]:
    for start in range(0, len(keys), _CHUNK):
        query = select(*STORED_COLUMNS).where(genome.c.digest.in_(keys[start : start + _CHUNK]))
        for row in connection.execute(query).all():
            yield StoredGenome(*row)


def _whole(row: StoredGenome) -> Genome:
    if not isinstance(row.text, str):
        raise ValueError(f"expected a base with a text, got {row.text!r:.40}")
    return Genome(row.kind, None, 0, row.text)


def _check_difference(row: StoredGenome) -> None:
    expected: dict[str, tuple[Any, Callable[[Any], bool]]] = {
        "base": (row.base, lambda value: type(value) is str),
        "head": (row.head, lambda value: type(value) is int),
        "tail": (row.tail, lambda value: type(value) is int),
        "depth": (row.depth, lambda value: type(value) is int and 1 <= value <= DEEPEST),
        "text": (row.text, lambda value: type(value) is str),
    }
    for name, (value, is_sound) in expected.items():
        if not is_sound(value):
            raise ValueError(f"expected a {name} of a difference, got {value!r:.40}")
