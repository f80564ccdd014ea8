"""Makes texts of rows of ``genome``: the only place that does.

Rows may come from anywhere, and a row of a few bytes may stand for a long text. So depths must fall from base to base
as `base_depth` has it, which ends a chain after `MOST_ROWS` rows; a difference gives at most ``LONGEST`` characters;
and what is made of all rows together has a bound.
"""

import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Select, bindparam, literal, select

from germline.db.errors import GenomesTooLong
from germline.db.genomes.difference import DEEPEST, Difference, applied, base_depth
from germline.db.genomes.recent import RecentTexts
from germline.db.schema import genome

MOST_ROWS: Final = 80
"""Rows that a text is made of, at most. The octal digits of a depth sum up to 71 at most; this leaves a margin."""

MOST_BYTES: Final = 2 * 10**9
"""Bytes of memory that the texts which are made of differences may take together, if all are kept."""

MOST_BYTES_PASSING: Final = 1_000_000
"""Bytes that may be made for each genome besides, if texts are used one after the other: as many as it has on average
in a run of an evolution strategy with 700,000 births, for each of which texts grow by two to three characters."""

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

    def checked_depth(self) -> int:
        """The depth; 0 if the text is whole.

        Raises:
            ValueError: a difference has no depth.
        """
        if self.base is None:
            return 0
        if type(self.depth) is not int or not 1 <= self.depth <= DEEPEST:
            raise ValueError(f"expected a depth of a difference, got {self.depth!r:.40}")
        return self.depth

    def difference(self) -> Difference:
        """How the text differs from that of the base.

        Raises:
            ValueError: a value has a type that it cannot have.
        """
        if type(self.head) is not int or type(self.tail) is not int or type(self.text) is not str:
            values = f"{self.head!r:.40}, {self.tail!r:.40} and {self.text!r:.40}"
            raise ValueError(f"expected two lengths and a text in a difference, got {values}")
        return Difference(self.head, self.tail, self.text)


def _of_digests(bases: bool) -> Select[Any]:
    """The rows of the digests ``digests``; with ``bases`` those of their bases too, at most `MOST_ROWS` for each."""
    columns = [genome.c[name] for name in StoredGenome._fields]
    asked = genome.c.digest.in_(bindparam("digests", expanding=True))
    if not bases:
        return select(*columns).where(asked)
    chain = select(genome.c.digest, literal(1).label("row")).where(asked).cte("chain", recursive=True)
    next_bases = select(genome.c.base, chain.c.row + 1).join(chain, genome.c.digest == chain.c.digest)
    chain = chain.union(next_bases.where(genome.c.base.is_not(None), chain.c.row < MOST_ROWS))
    return select(*columns).where(genome.c.digest.in_(select(chain.c.digest)))


# Made once, since that takes longer than to execute them for the births of a block.
_ALONE: Final = _of_digests(bases=False)
_WITH_BASES: Final = _of_digests(bases=True)


class GenomeTexts:
    """The texts of genomes whose rows were loaded. Each is made when it is asked for; neighbours share most of their
    bases, so the texts that were used last are remembered.

    Args:
        kept: whether the caller keeps all texts in memory.
        recent: where texts are remembered; None: in a place of its own.
    """

    def __init__(self, kept: bool, recent: RecentTexts | None = None) -> None:
        self._kept = kept
        self._recent = RecentTexts() if recent is None else recent
        self._rows: dict[str, StoredGenome] = {}
        self._genomes_asked = self._bytes_made = 0

    def load(self, connection: Connection, digests: Iterable[str]) -> None:
        """Reads the rows of some digests and of their bases, in the place of those that were loaded before. A digest
        without a row is left out.

        Rows of a run that is there never change, so bases that were loaded before are not read again: those of the
        births of a page are mostly among the births of the page before.
        """
        wanted = [key for key in dict.fromkeys(digests) if isinstance(key, str)]
        self._genomes_asked += len(wanted)
        before = self._rows
        read = _WITH_BASES if not before else _ALONE
        self._rows = {row.digest: row for row in _rows(connection, read, wanted)}
        if before:
            bases = self._add_bases(before)
            self._rows |= {row.digest: row for row in _rows(connection, _WITH_BASES, bases)}

    def _add_bases(self, before: Mapping[str, StoredGenome]) -> list[str]:
        """Adds the bases of all rows as far as they are among those of before. Returns the digests of the others."""
        others: dict[str, None] = {}
        for row in list(self._rows.values()):
            for _ in range(MOST_ROWS):
                if not isinstance(row.base, str) or row.base in self._rows:
                    break
                known = before.get(row.base)
                if known is None:
                    others[row.base] = None
                    break
                row = self._rows[known.digest] = known
        return list(others)

    def put(self, row: StoredGenome, text: str) -> None:
        """Takes a row as if it was loaded, with its whole text."""
        self._rows[row.digest] = row
        if row.base is not None:
            self._recent.add(row.digest, text)

    def row(self, digest: str | None) -> StoredGenome | None:
        """The row of a digest; None if it is not loaded."""
        return None if digest is None else self._rows.get(digest)

    def base_of(self, row: StoredGenome) -> StoredGenome:
        """The row of the base of a difference.

        Raises:
            ValueError: it is not there, or cannot be the base.
        """
        base = self.row(row.base) if isinstance(row.base, str) else None
        if base is None:
            raise ValueError(f"expected a genome {row.base!r:.40} in its chain of bases, got none")
        if base.kind != row.kind:
            raise ValueError(f"expected a base of kind {row.kind!r:.20}, got {base.kind!r:.20}")
        expected = base_depth(row.checked_depth())
        if base.checked_depth() != expected:
            raise ValueError(f"expected a base at depth {expected}, got depth {base.checked_depth()}")
        return base

    def text(self, digest: str) -> str:
        """The text of a genome whose row was loaded.

        Raises:
            ValueError: the rows do not tell the text.
            GenomesTooLong: all texts together would take more memory or time than a sound file needs.
        """
        row = self.row(digest)
        if row is None:
            raise ValueError(f"expected a genome {digest!r:.40}, got none")
        changes: list[StoredGenome] = []
        text = None
        while row.base is not None and (text := self._recent.get(row.digest)) is None:
            changes.append(row)
            row = self.base_of(row)
        if text is None:
            text = row.text
        if type(text) is not str:
            raise ValueError(f"expected genome of type str, got {text!r:.40}")
        for row in reversed(changes):
            text = applied(text, row.difference())
            self._count(text)
            self._recent.add(row.digest, text)
        return text

    def _count(self, text: str) -> None:
        self._bytes_made += sys.getsizeof(text)
        most = MOST_BYTES if self._kept else MOST_BYTES + MOST_BYTES_PASSING * self._genomes_asked
        if self._bytes_made > most:
            raise GenomesTooLong(
                f"expected genomes of at most {most:,} bytes as whole texts, got more: ask for fewer births,"
                " or see `germline db check`"
            )


def _rows(connection: Connection, query: Select[Any], digests: list[str]) -> Iterator[StoredGenome]:
    for start in range(0, len(digests), _CHUNK):
        for row in connection.execute(query, {"digests": digests[start : start + _CHUNK]}).all():
            yield StoredGenome._make(row)
