"""Rules for genomes, which belong to no run: their texts, and the bases that these are differences to."""

from collections.abc import Iterator

from sqlalchemy import Connection, select, true

from germline.db.check.lines import MAX_LISTED, streamed
from germline.db.check.value_types import wrong_types
from germline.db.errors import GenomesTooLong
from germline.db.genomes.reading import GenomeTexts
from germline.db.schema import genome
from germline.db.to_rows import digest as digest_of


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
    with connection.execute(streamed(select(genome.c.digest))) as result:
        for part in result.scalars().partitions():
            texts.load(connection, part)
            for digest in part:
                try:
                    problem = _problem(digest, texts)
                except GenomesTooLong:
                    yield (
                        "genomes: not all texts were compared with their digests (so much text is damage, or a run of"
                        " an evolution strategy with more than about 700,000 births)"
                    )
                    return
                if problem:
                    yield f"genome {digest}: {problem}"


def _problem(digest: str, texts: GenomeTexts) -> str | None:
    row = texts.row(digest)
    if row is not None and row.base is None and (row.head, row.tail, row.depth) != (None, None, None):
        return "a whole text with head, tail or depth"
    try:
        text = texts.text(digest)
    except ValueError as error:
        return f"its text cannot be read ({error})"
    is_sound = row is not None and digest_of(str(row.kind), text) == digest
    return None if is_sound else "its text does not match its digest"
