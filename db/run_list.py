"""The rows of ``germline runs``, read without SQLAlchemy: its import takes longer than the command may take."""

import contextlib
from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any, Final

from germline.db import owner, sqlite_file
from germline.db.column_types import check_types
from germline.db.errors import unreadable_row
from germline.db.location import SqliteFile, locate
from germline.db.records import RunSummary
from germline.db.revisions import require_current
from germline.db.sqlite_connection import FAILURES, as_database_error, connect
from germline.db.tags import tags_of

_COLUMNS: Final = [field.name for field in fields(RunSummary)]

_SELECT: Final = """
SELECT r.name, r.kind, r.task, r.preset, r.seed, r.status,
    (SELECT count(*) FROM individual i WHERE i.run_id = r.id) AS births,
    (SELECT count(*) FROM evaluation e WHERE e.run_id = r.id) AS evaluations,
    (SELECT count(i.cached_from) FROM individual i WHERE i.run_id = r.id) AS cache_hits,
    (SELECT count(*) FROM evaluation e WHERE e.run_id = r.id AND e.status <> 'ok') AS failures,
    (SELECT coalesce(sum(j.genomes), 0) FROM rejection j WHERE j.run_id = r.id) AS rejected,
    r.seconds, best.birth AS best_birth,
    CASE WHEN best.negative_zero THEN CAST('-0.0' AS DOUBLE PRECISION) ELSE best.fitness END AS best_fitness,
    r.owner, r.created, r.environment
FROM run r
LEFT JOIN evaluation best ON best.id = (
    SELECT b.id FROM evaluation b
    WHERE b.run_id = r.id AND b.task = r.task AND b.status = 'ok' AND b.rung = 0 AND b.seed = 0
    ORDER BY b.fitness DESC NULLS LAST, b.birth LIMIT 1
)
"""

QUERY: Final = f"""{_SELECT}ORDER BY r.created, r.name
"""
"""Selects the values of a `RunSummary` of every run, and its environment, which holds its tags.

The view `v_runs` of the database is for other tools: it is as much a part of a foreign file as its rows, and is not
executed.
"""

QUERY_OF_RUN: Final = f"{_SELECT}WHERE r.id = :run_id"
"""Selects the same of one run."""


def runs(url: str) -> list[RunSummary] | None:
    """All runs, oldest first, equal to ``Store.runs``; None for a database on a server. The file is not changed.

    Raises:
        DatabaseError: the subclasses that ``Store`` raises with ``create=False``.
    """
    location = locate(url)
    if not isinstance(location, SqliteFile):
        return None
    schema = sqlite_file.recorded_schema(location.path)
    if schema is None:
        raise sqlite_file.missing_database(location.path)
    require_current(schema.revision, str(location))
    try:
        with contextlib.closing(connect(location.path, "ro")) as connection:
            rows = connection.execute(QUERY).fetchall()
    except FAILURES as error:
        raise as_database_error(error, location.path) from error
    return [summary(row) for row in rows]


def summary(values: Sequence[Any]) -> RunSummary:
    """The record of a row of ``QUERY``, with the status ``interrupted`` if the driver is dead.

    Args:
        values: the values in the order of the record's fields, and the environment.

    Raises:
        DamagedDatabase: a value has a type that its column cannot have.
    """
    *values, environment = values
    try:
        check_types(RunSummary, values)
    except ValueError as error:
        raise unreadable_row(f"run {values[_COLUMNS.index('name')]!r}", error) from error
    recorded = RunSummary(*values)
    status, driver = owner.displayed(recorded.status, recorded.owner)
    return replace(recorded, status=status, owner=driver, tags=tags_of(environment))
