"""Makes rows of ``genome``, the only place that does: each text whole, or as a difference to an ancestor.

The rows follow from the texts, their parents and the rows that are there, so that a search that was killed and resumed
records what a whole search does.
"""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection, text

from germline.db.errors import unreadable_row
from germline.db.genomes.difference import DEEPEST, base_depth, worthwhile
from germline.db.genomes.reading import GenomeTexts, StoredGenome
from germline.db.genomes.recent import RecentTexts
from germline.db.insertion import insert_rows
from germline.db.schema import genome


class NewGenome(NamedTuple):
    """A genome to be stored. ``parent`` is the digest of the genome that it was bred from, None if there is none."""

    digest: str
    fingerprint: str
    text: str
    parent: str | None


def add_genomes(connection: Connection, kind: str, genomes: Sequence[NewGenome], recent: RecentTexts) -> None:
    """Stores the genomes that are not stored yet.

    Args:
        connection: in a transaction that writes.
        kind: of all genomes and their parents.
        genomes: any number of them, the same perhaps twice; a parent may be one of those before.
        recent: remembers texts from one call to the next, since the next genomes are children of these.

    Raises:
        DamagedDatabase: the text of a parent cannot be read.
    """
    if connection.dialect.name == "postgresql":
        # Two searches that store the same text at the same time would each reckon with a row of their own.
        connection.execute(text("LOCK TABLE genome IN SHARE ROW EXCLUSIVE MODE"))
    texts = GenomeTexts(kept=False, recent=recent)
    texts.load(connection, [key for each in genomes for key in (each.digest, each.parent) if key is not None])
    rows = []
    for each in genomes:
        if texts.row(each.digest) is not None:
            continue
        try:
            row = _row(each, kind, texts)
        except ValueError as error:
            raise unreadable_row(f"genome {each.parent}", error) from error
        texts.put(row, each.text)
        rows.append({**row._asdict(), "fingerprint": each.fingerprint})
    insert_rows(connection, genome, rows)


def _row(each: NewGenome, kind: str, texts: GenomeTexts) -> StoredGenome:
    """The row of a new genome.

    Raises:
        ValueError: the rows of its parent cannot be read.
    """
    parent = texts.row(each.parent)
    if parent is not None and parent.kind == kind and parent.checked_depth() < DEEPEST:
        depth = parent.checked_depth() + 1
        base = parent
        while base.checked_depth() > base_depth(depth):
            base = texts.base_of(base)
        change = worthwhile(texts.text(base.digest), each.text)
        if change is not None:
            return StoredGenome(each.digest, kind, base.digest, change.head, change.tail, depth, change.text)
    return StoredGenome(each.digest, kind, None, None, None, None, each.text)
