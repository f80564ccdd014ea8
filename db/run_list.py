"""The rows of ``germline runs`` without SQLAlchemy, whose import alone takes longer than that command may."""

import contextlib
from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any

from germline.db import owner, sqlite_file
from germline.db.column_types import check_types
from germline.db.errors import unreadable
from germline.db.location import SqliteFile, locate
from germline.db.records import RunSummary
from germline.db.revisions import require_current

_COLUMNS = [field.name for field in fields(RunSummary)]


def runs(url: str) -> list[RunSummary] | None:
    """Every run, oldest first: what ``Store.runs`` gives, read-only. None if the URL is not one of SQLite.

    Raises:
        DatabaseError: as for opening a ``Store`` that must exist.
    """
    location = locate(url)
    if not isinstance(location, SqliteFile):
        return None
    revision = sqlite_file.look(location.path)
    if revision is None:
        raise sqlite_file.missing(location.path)
    require_current(revision, str(location))
    try:
        with contextlib.closing(sqlite_file.connect(location.path, "ro")) as connection:
            rows = connection.execute(f"SELECT {', '.join(_COLUMNS)} FROM v_runs ORDER BY created, name").fetchall()
    except sqlite_file.FAILURES as error:
        raise sqlite_file.explain(error, location.path) from error
    return [summary(row) for row in rows]


def summary(values: Sequence[Any]) -> RunSummary:
    """The record of a row of ``v_runs``; its status is ``interrupted`` if its driver is dead.

    Args:
        values: in the order of the record's fields.

    Raises:
        DamagedDatabase: a value is of a type that its column cannot have.
    """
    try:
        check_types(RunSummary, values)
    except ValueError as error:
        raise unreadable(f"run {values[_COLUMNS.index('name')]!r}", error) from error
    recorded = RunSummary(*values)
    status, driver = owner.shown(recorded.status, recorded.owner)
    return replace(recorded, status=status, owner=driver)
