"""Invariants of the database as a whole: its schema, the file, and rows that belong to no run."""

from collections.abc import Sequence

from sqlalchemy import Connection, select, text, true

from germline.db import exact_json, file_schema, proposals
from germline.db.check.lines import MAX_LISTED, is_readable, streamed
from germline.db.check.value_types import wrong_types
from germline.db.revisions import VERSION_TABLE
from germline.db.schema import answer, metadata, training
from germline.db.server_schema import server_differences
from germline.db.to_rows import digest


def schema_differences(connection: Connection) -> Sequence[str]:
    """A phrase for each object of the database that is not Germline's, or not as Germline creates it."""
    if connection.dialect.name != "sqlite":
        return server_differences(connection)
    definitions = [file_schema.Definition(*row) for row in connection.execute(text(file_schema.QUERY))]
    revision = str(connection.scalar(text(f"SELECT version_num FROM {VERSION_TABLE}")))
    return file_schema.differences(definitions, revision).all


def file_problems(connection: Connection, altered: bool) -> list[str]:
    """Pages, indexes and foreign keys are sound by SQLite's own checks.

    These evaluate expressions of the schema. If it is altered, only Germline's tables are checked.
    """
    if connection.dialect.name != "sqlite":
        return []
    tables = [f"({name})" for name in metadata.tables]
    checks = [f"PRAGMA integrity_check{argument}" for argument in (tables if altered else [""])]
    lines = [line for check in checks for line in connection.scalars(text(check)) if line != "ok"]
    dangling = [row for table in tables for row in connection.execute(text(f"PRAGMA foreign_key_check{table}"))]
    return lines + [f"a row of {row[0]} refers to a missing row of {row[2]}" for row in dangling[:MAX_LISTED]]


def training_problems(connection: Connection) -> list[str]:
    """The text of a training gives its digest, its measures can be read, and all its values have the right types."""
    columns = select(training.c.id, training.c.digest, training.c.text, training.c.measures)
    lines = []
    for key, hashed, content, measures in connection.execute(streamed(columns)):
        if content is None or digest("training", str(content)) != hashed:
            lines.append(f"training {key}: its text does not match its digest")
        elif not is_readable(exact_json.load_floats, measures):
            lines.append(f"training {key}: measures that cannot be read")
    return lines[:MAX_LISTED] + [
        f"training {key}: a value of the wrong type in {column}"
        for column, keys in wrong_types(connection, training, training.c.id, true())
        for key in keys[:MAX_LISTED]
    ]


def answer_problems(connection: Connection) -> list[str]:
    """What an operator from outside was asked and answered gives its digest, and has the right types."""
    lines = [
        f"answer {key}: its text does not match its digest"
        for key, *values in connection.execute(streamed(select(*answer.columns)))
        if None in values or proposals.digest(*values) != key
    ]
    return lines[:MAX_LISTED] + [
        f"answer {key}: a value of the wrong type in {column}"
        for column, keys in wrong_types(connection, answer, answer.c.digest, true())
        for key in keys[:MAX_LISTED]
    ]
