"""The schema's revisions, oldest first. The migrations folder holds one script for each; a test keeps the two equal."""

from typing import Final

from germline.db.errors import ForeignDatabase, SchemaNewer, SchemaOutdated

REVISIONS: Final[tuple[str, ...]] = ("0001", "0002", "0003")

VERSION_TABLE: Final = "germline_version"
"""Alembic's table under a name of our own: it tells our databases from those of other programs that use Alembic."""


def require_current(revision: str, where: str, revisions: tuple[str, ...] = REVISIONS) -> None:
    """Let a database at the newest revision pass.

    Raises:
        SchemaOutdated: an earlier revision.
        SchemaNewer: a revision this version does not know.
    """
    if revision == revisions[-1]:
        return
    if revision in revisions:
        raise SchemaOutdated(
            f"{where} has schema {revision}, this version works with {revisions[-1]}: run `germline db upgrade`"
        )
    raise SchemaNewer(
        f"{where} has schema {revision!r}, this version knows schemas up to {revisions[-1]}: "
        "a newer Germline wrote it, so update Germline or name another database"
    )


def foreign(where: str) -> ForeignDatabase:
    """The error for a database that has tables, but not ours."""
    return ForeignDatabase(
        f"{where} is a database of another program and was left as it is: name another file or database for Germline"
    )
