"""Rules for genomes, which belong to no run: their texts, and the bases that these are differences to."""

from collections.abc import Iterator

from sqlalchemy import Connection, select, true

from germline.db.check.lines import MAX_LISTED, streamed
from germline.db.check.value_types import wrong_types
from germline.db.errors import GenomesTooLong
from germline.db.genomes.reading import STORED_COLUMNS, GenomeTexts, StoredGenome
from germline.db.schema import genome
from germline.db.to_rows import digest


def genome_problems(connection: Connection) -> list[str]:
    """The text of a genome gives its digest, and its values have a type that their column can have. If the text is a
    difference, its base is of the same kind at the depth that it must have, and has the head and the tail."""
    lines = []
    for line in _text_problems(connection):
        lines.append(line)
        if len(lines) == MAX_LISTED:
            break
    return lines + [
        f"genome {key}: a value of the wrong type in {column}"
        for column, keys in wrong_types(connection, genome, genome.c.digest, true())
        for key in keys[:MAX_LISTED]
    ]


def _text_problems(connection: Connection) -> Iterator[str]:
    texts = GenomeTexts(kept=False)
    with connection.execute(streamed(select(*STORED_COLUMNS))) as result:
        for part in result.partitions():
            rows = [StoredGenome(*row) for row in part]
            texts.load(connection, rows)
            for row in rows:
                try:
                    problem = _problem(row, texts)
                except GenomesTooLong:
                    yield "genomes: their texts are too long, together, for what is stored; not all were compared"
                    return
                if problem:
                    yield f"genome {row.digest}: {problem}"


def _problem(row: StoredGenome, texts: GenomeTexts) -> str | None:
    if row.base is None and (row.head, row.tail, row.depth) != (None, None, None):
        return "a whole text with head, tail or depth"
    try:
        text = texts.text(row.digest)
    except ValueError as error:
        return f"its text cannot be read ({error})"
    is_sound = None not in (row.digest, row.kind, text) and digest(str(row.kind), str(text)) == row.digest
    return None if is_sound else "its text does not match its digest"
