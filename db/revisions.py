"""The revisions of the schema, oldest first: one for each script in ``migrations/versions``."""

import shlex
from typing import Final

from germline.db.errors import ForeignDatabase, SchemaNewer, SchemaOutdated

REVISIONS: Final[tuple[str, ...]] = ("0001", "0002", "0003", "0004", "0005", "0006", "0007", "0008")

VERSION_TABLE: Final = "germline_version"
"""Alembic's table of the revision. Its name tells Germline's databases from those of other programs with Alembic."""


def require_current(revision: str, where: str, revisions: tuple[str, ...] = REVISIONS) -> None:
    """Checks that the revision of the database ``where`` is the last of ``revisions``.

    Raises:
        SchemaOutdated: it is an earlier revision.
        SchemaNewer: it is an unknown revision, so a newer Germline wrote the database.
    """
    if revision == revisions[-1]:
        return
    if revision in revisions:
        raise SchemaOutdated(
            f"{where} has schema {revision}, this version works with {revisions[-1]}: "
            f"run `germline db upgrade --db {shlex.quote(where)}`"
        )
    raise SchemaNewer(
        f"{where} has schema {revision!r}, this version knows schemas up to {revisions[-1]}: "
        "a newer Germline wrote it, so update Germline or name another database"
    )


def foreign_database(where: str) -> ForeignDatabase:
    """The error for a database that has tables, but no ``VERSION_TABLE``."""
    return ForeignDatabase(
        f"{where} is a database of another program and was left as it is: name another file or database for Germline"
    )
