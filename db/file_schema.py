"""The schema of a SQLite file, compared with the schema that Germline's migrations create.

A file may come from anywhere, and its schema is code: SQLite executes triggers when rows are written, views, generated
columns and expressions of indexes when they are read. So the definition of each object in the file must be the one that
the migrations of its revision create. Of those definitions only digests are kept here; a test derives them anew.

SQLAlchemy is not imported, because ``germline runs`` must answer sooner.
"""

import hashlib
import re
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from germline.db.errors import AlteredSchema
from germline.db.revisions import REVISIONS

QUERY: Final = "SELECT type, name, sql FROM sqlite_master"
"""Selects the values of `Definition`, one row for each object of the schema."""

_STATISTICS: Final = re.compile(r"CREATE TABLE sqlite_(stat[0-9]|sequence)\b", re.ASCII)
"""Tables of SQLite itself, such as those of ``ANALYZE``."""
_INERT: Final = re.compile(r"CREATE (TABLE|VIEW)\s", re.ASCII)
"""A definition that SQLite does not use unless a query names the table or view."""


class Definition(NamedTuple):
    """An object of the schema: its type (``table``, ``index``, ``view`` or ``trigger``), its name, and its SQL.

    The file may claim any type; what SQLite executes is the SQL. ``sql`` is None for the index of a constraint.
    """

    type: str
    name: str
    sql: str | None


@dataclass(frozen=True)
class Differences:
    """How the schema of a file differs from Germline's, as phrases such as ``trigger evil is not Germline's``.

    Attributes:
        reading: tables of Germline that are missing or have another definition, such as a view in the place of a table
            or a generated column: their rows are not what they seem.
        writing: objects that SQLite may execute when rows are written, such as triggers and indexes.
        harmless: further tables, further or altered views, and missing indexes and views: no result depends on them.
    """

    reading: tuple[str, ...] = ()
    writing: tuple[str, ...] = ()
    harmless: tuple[str, ...] = ()

    @property
    def all(self) -> tuple[str, ...]:
        """All phrases, the gravest first."""
        return (*self.reading, *self.writing, *self.harmless)

    def refuse_reading(self, where: str) -> None:
        """Raises AlteredSchema if the rows of the file ``where`` may not be what they seem."""
        if self.reading:
            raise self._refusal(where, self.all, "it was not read")

    def refuse_writing(self, where: str) -> None:
        """Raises AlteredSchema if something of the file ``where`` could act when rows are written."""
        if self.reading or self.writing:
            raise self._refusal(where, (*self.reading, *self.writing), "it can be read, but was not written")

    def _refusal(self, where: str, grave: Sequence[str], consequence: str) -> AlteredSchema:
        listed = ", ".join(grave[:3]) + (f" and {len(grave) - 3} more" if len(grave) > 3 else "")
        return AlteredSchema(
            f"expected the schema that Germline creates, got {where} in which {listed}: {consequence}; "
            "restore a copy made with `germline db backup`",
            self.all,
        )


def differences(definitions: Iterable[Definition], revision: str) -> Differences:
    """Compares the schema of a file with that of its revision, which must be one of ``REVISIONS``."""
    missing, declared = dict(_digests(_CREATED, revision)), _digests(_DECLARED, revision)
    reading: list[str] = []
    writing: list[str] = []
    harmless: list[str] = []
    for kind, name, sql in definitions:
        key = f"{kind} {name}"
        if sql is None and str(name).startswith("sqlite_autoindex_"):
            continue
        text = sql if isinstance(sql, str) else ""
        expected = missing.pop(key, None)
        if digest(text) in (expected, declared.get(key)) or _STATISTICS.match(text):
            continue
        phrase = f"{key:.100} is not Germline's" if expected is None else f"{key} has another definition"
        if expected is not None and kind == "table":
            reading.append(phrase)
        elif _INERT.match(text):
            harmless.append(phrase)
        else:
            writing.append(phrase)
    for key in missing:
        (reading if key.startswith("table ") else harmless).append(f"{key} is missing")
    return Differences(tuple(reading), tuple(writing), tuple(harmless))


def differences_of_file(connection: sqlite3.Connection, revision: str) -> Differences:
    """Compares the schema of the file that a connection has open with that of its revision."""
    return differences(map(Definition._make, connection.execute(QUERY)), revision)


def digest(sql: str) -> str:
    """A digest of a definition that does not depend on white space between its words: 32 hex digits of BLAKE2b."""
    words = re.sub(r" ?([(),]) ?", r"\1", " ".join(sql.split()))
    return hashlib.blake2b(words.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def _digests(created: Mapping[str, Mapping[str, str]], revision: str) -> Mapping[str, str]:
    """The digest of each object that the revisions up to this create, by type and name."""
    digests: dict[str, str] = {}
    for earlier in REVISIONS[: REVISIONS.index(revision) + 1]:
        digests |= created.get(earlier, {})
    return digests


_CREATED: Final[Mapping[str, Mapping[str, str]]] = {
    "0001": {
        "index ix_control_run_id": "72a3684b7adf6bd66ea47bbdacc2d801",
        "index ix_evaluation_best": "d48f484cd0a2df299a31997e3657c64f",
        "index ix_evaluation_run_id_id": "74adaaef8437ecd82cf18789a5187e36",
        "index ix_individual_run_id_cached_from": "d6e71918262e2ffcde02e36e28563c34",
        "table artifact": "3589b14a28ca2711d4bf3c9f64b8854f",
        "table control": "fa7f78fc306f0ecca3dfa029679c9c07",
        "table evaluation": "a75f0ebd11539ccc91f279edcfd36a49",
        "table genome": "1fb4f0c71ef707c6d830530b8ad43c12",
        "table germline_version": "a1fed9d9fe9788590ee445139e89c4bf",
        "table individual": "3a1cd745b39990e616ecbd754088cafa",
        "table parentage": "ec8f39c916513a97553f50989131a59b",
        "table run": "dabd37019b3d0d22853cc7a502037518",
        "view v_best": "f3c548880fedec93a89451fda475afe4",
        "view v_failures": "4d15940f3aa05698faffb64e8c39fd01",
        "view v_lineage": "87e619f78001ea152cbfebfff057e1d9",
        "view v_runs": "7e88abffc86e93ec7c8513c1e7ac6dea",
    },
    "0002": {
        "table rejection": "4946cb329ec0811a12a144e749393232",
        "view v_runs": "689e1d47215a200f844a795d820786a1",
    },
    "0003": {
        "table winner": "51b885924da35606b26b19b998f55bb5",
    },
    "0004": {
        "table evaluation": "d642070b2788e5a9c449cad262c8a518",
        "table snapshot": "199c4b22d15d1a17515aec29571f9025",
    },
    "0005": {
        "index ix_simplified_run_id_birth": "d34d2c3eda98da41b4303426ef6877da",
        "table simplified": "0e6ab4314259288d5afe4d51237f8426",
    },
    "0006": {
        "index ix_verdict_run_id_birth": "aefbba0a92b8721ee2fb186a9f9fa51b",
        "table training": "f677109906f91fda50b8a597464601a2",
        "table verdict": "26628270b963cd7a66807e391f17a4ca",
    },
    "0007": {
        "table answer": "f36d54b8be40ef0568f345011d2e5114",
        "table proposal": "89296515591a4ba5c5c8bc72d69b0157",
    },
    "0008": {
        "table genome": "c826c33e56ac2fa9d2a2a34ad690c24c",
        "view v_best": "b462ae5999b9186460aa2ba086c0978e",
        "view v_genomes": "c088363c4f8b5744d9a93acd6ef2a70e",
    },
}
"""By revision, the objects that its migration creates or replaces."""

_DECLARED: Final[Mapping[str, Mapping[str, str]]] = {"0008": {"table genome": "9a63b956039b788694962bb4ebfa4e72"}}
"""By revision, the objects of which the declared schema, in new files, has another SQL than the migrations: SQLite adds
a constraint to a table only with its column."""
