"""The rows of ``germline runs``, read without SQLAlchemy: its import takes longer than the command may take."""

import contextlib
from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any

from germline.db import owner, sqlite_file
from germline.db.column_types import check_types
from germline.db.errors import unreadable_row
from germline.db.location import SqliteFile, locate
from germline.db.records import RunSummary
from germline.db.revisions import require_current

_COLUMNS = [field.name for field in fields(RunSummary)]


def runs(url: str) -> list[RunSummary] | None:
    """All runs, oldest first, equal to ``Store.runs``; None for a database on a server. The file is not changed.

    Raises:
        DatabaseError: the subclasses that ``Store`` raises with ``create=False``.
    """
    location = locate(url)
    if not isinstance(location, SqliteFile):
        return None
    revision = sqlite_file.recorded_revision(location.path)
    if revision is None:
        raise sqlite_file.missing_database(location.path)
    require_current(revision, str(location))
    try:
        with contextlib.closing(sqlite_file.connect(location.path, "ro")) as connection:
            rows = connection.execute(f"SELECT {', '.join(_COLUMNS)} FROM v_runs ORDER BY created, name").fetchall()
    except sqlite_file.FAILURES as error:
        raise sqlite_file.as_database_error(error, location.path) from error
    return [summary(row) for row in rows]


def summary(values: Sequence[Any]) -> RunSummary:
    """The record of a row of ``v_runs``, with the status ``interrupted`` if the driver is dead.

    Args:
        values: the values in the order of the record's fields.

    Raises:
        DamagedDatabase: a value has a type that its column cannot have.
    """
    try:
        check_types(RunSummary, values)
    except ValueError as error:
        raise unreadable_row(f"run {values[_COLUMNS.index('name')]!r}", error) from error
    recorded = RunSummary(*values)
    status, driver = owner.displayed(recorded.status, recorded.owner)
    return replace(recorded, status=status, owner=driver)
