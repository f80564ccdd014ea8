"""Makes rows of ``genome``: each text whole, or as a difference to an ancestor.

The rows follow from the texts, their parents and the rows that are there, so that a search that was killed and resumed
records what a whole search does. What a process remembers only saves reading.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, and_, insert, select, text

from germline.db.errors import unreadable_row
from germline.db.genomes.difference import DEEPEST, base_depth, worthwhile
from germline.db.genomes.reading import GenomeTexts
from germline.db.genomes.recent import Genome, RecentGenomes
from germline.db.schema import genome, individual

_CHUNK: Final = 500


class NewGenome(NamedTuple):
    """A genome to be stored. ``parent`` is the digest of the genome that it was bred from, None if there is none."""

    digest: str
    fingerprint: str
    text: str
    parent: str | None


class GenomeWriter:
    """Stores genomes, and remembers those that it stored last, since the next are their children.

    What a transaction stored is remembered by `remember`, after its commit. Whoever changes which process drives a run,
    or removes a run, calls `forget`.
    """

    def __init__(self) -> None:
        self._recent = RecentGenomes()

    def add(self, connection: Connection, kind: str, genomes: Sequence[NewGenome]) -> Mapping[str, Genome]:
        """Stores the genomes that are not stored yet, in their order; a parent may be one of those before.

        Args:
            connection: in a transaction that writes.
            kind: of all genomes and their parents.
            genomes: any number of them; the same may come twice.

        Returns:
            By digest what was stored, for `remember`.
        """
        if connection.dialect.name == "postgresql":
            # Two searches that store the same text at the same time would each reckon with a row of their own.
            connection.execute(text("LOCK TABLE genome IN SHARE ROW EXCLUSIVE MODE"))
        stored = _stored(connection, [each.digest for each in genomes])
        for digest in stored:
            self._recent.drop(digest)  # another process may have stored it in another form
        known = _Known(connection, kind, self._recent, [each.parent for each in genomes if each.digest not in stored])
        rows = []
        for each in genomes:
            if each.digest not in stored and each.digest not in known.new:
                rows.append(_row(each, kind, known))
        if rows:
            connection.execute(insert(genome), rows)
        return known.new

    def remember(self, stored: Mapping[str, Genome]) -> None:
        """Takes what `add` returned, once it is committed."""
        for digest, each in stored.items():
            self._recent.add(digest, each)

    def forget(self) -> None:
        """Drops all that is remembered."""
        self._recent.clear()


def digests_of_births(connection: Connection, run_id: int, births: Sequence[int]) -> dict[int, str]:
    """The digests of the genomes of some births of a run; a birth that is not recorded is left out."""
    found: dict[int, str] = {}
    for start in range(0, len(births), _CHUNK):
        wanted = individual.c.birth.in_(births[start : start + _CHUNK])
        query = select(individual.c.birth, individual.c.genome).where(and_(individual.c.run_id == run_id, wanted))
        found |= {row.birth: row.genome for row in connection.execute(query)}
    return found


class _Known:
    """The genomes that a transaction can use as bases: those that it stores (``new``), remembered and stored ones."""

    def __init__(self, connection: Connection, kind: str, recent: RecentGenomes, parents: Sequence[str | None]) -> None:
        self.new: dict[str, Genome] = {}
        self._connection, self._kind, self._recent = connection, kind, recent
        self._texts = self._loaded({key: None for key in parents if key is not None and key not in recent})

    def genome(self, digest: str) -> Genome | None:
        """The genome of a digest; None if it is not stored, or of another kind.

        Raises:
            DamagedDatabase: its rows do not tell its text.
        """
        known = self.new.get(digest)
        if known is None and digest not in self._texts:  # bases of what was read are as they were read
            known = self._recent.get(digest)
        if known is None:
            if digest not in self._texts:
                self._texts = self._loaded([digest])
            if digest not in self._texts:
                return None
            try:
                known = self._texts.genome(digest)
            except ValueError as error:
                raise unreadable_row(f"genome {digest}", error) from error
        return known if known.kind == self._kind else None

    def _loaded(self, digests: Iterable[str]) -> GenomeTexts:
        texts = GenomeTexts(kept=False)
        texts.load_keys(self._connection, digests)
        return texts


def _stored(connection: Connection, digests: Sequence[str]) -> set[str]:
    """Those of some digests that have a row."""
    keys = list(dict.fromkeys(digests))
    stored: set[str] = set()
    for start in range(0, len(keys), _CHUNK):
        query = select(genome.c.digest).where(genome.c.digest.in_(keys[start : start + _CHUNK]))
        stored.update(connection.scalars(query))
    return stored


def _row(each: NewGenome, kind: str, known: _Known) -> dict[str, Any]:
    """The row of a new genome, which is then known."""
    row = {"digest": each.digest, "kind": kind, "fingerprint": each.fingerprint, "base": None}
    row |= {"head": None, "tail": None, "depth": None, "text": each.text}
    base, depth = _base(each.parent, known)
    change = None
    if base is not None:
        of_base = known.genome(base)
        change = None if of_base is None else worthwhile(of_base.text, each.text)
    if change is None:
        known.new[each.digest] = Genome(kind, None, 0, each.text)
        return row
    known.new[each.digest] = Genome(kind, base, depth, each.text)
    return row | {"base": base, "head": change.head, "tail": change.tail, "depth": depth, "text": change.text}


def _base(parent: str | None, known: _Known) -> tuple[str | None, int]:
    """The digest of the base of a child, None if it has none, and the depth of the child."""
    of_parent = None if parent is None else known.genome(parent)
    if of_parent is None or of_parent.depth >= DEEPEST:
        return None, 0
    depth = of_parent.depth + 1
    key, of_key = parent, of_parent
    while of_key.depth > base_depth(depth):
        key = of_key.base
        assert key is not None  # only a whole text has no base, and it has depth 0
        found = known.genome(key)
        assert found is not None
        of_key = found
    return key, depth
