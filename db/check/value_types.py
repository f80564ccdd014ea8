"""Values of a type that their column cannot have."""

from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Float, Row, Table, Text, func, or_, select

from germline.db.check.lines import births_line
from germline.db.schema import (
    artifact,
    control,
    evaluation,
    individual,
    parentage,
    proposal,
    rejection,
    run,
    simplified,
    snapshot,
    verdict,
    winner,
)


def value_types(connection: Connection, row: Row[Any]) -> list[str]:
    """The values of every row of the run have a type that their column can have."""
    without_birth = [
        (run, run.c.id, run.c.id == row.id),
        (control, control.c.id, control.c.run_id == row.id),
        (snapshot, snapshot.c.run_id, snapshot.c.run_id == row.id),
    ]
    lines = [
        f"a value of the wrong type in {column}"
        for table, key, condition in without_birth
        for column, _ in wrong_types(connection, table, key, condition)
    ]
    for table in (individual, parentage, rejection, evaluation, winner, artifact, simplified, verdict, proposal):
        for column, births in wrong_types(connection, table, table.c.birth, table.c.run_id == row.id):
            lines += births_line(births, f"a value of the wrong type in {column}")
    return lines


def wrong_types(
    connection: Connection, table: Table, key: Column[Any], condition: ColumnElement[bool]
) -> list[tuple[str, list[Any]]]:
    """The columns with a value of a wrong type in a row that meets the condition, each with the keys of such rows.

    Only SQLite stores values of a wrong type.
    """
    if connection.dialect.name != "sqlite":
        return []
    is_wrong = [func.typeof(column).not_in(_type_names(column)) for column in table.columns]
    rows = connection.execute(select(key, *is_wrong).where(condition, or_(*is_wrong)).order_by(key)).all()
    keys_of_columns = [[row[0] for row in rows if row[index]] for index in range(1, len(is_wrong) + 1)]
    return [(str(column), keys) for column, keys in zip(table.columns, keys_of_columns, strict=True) if keys]


def _type_names(column: Column[Any]) -> list[str]:
    """SQLite's names of the types that the values of a column can have."""
    name = "real" if isinstance(column.type, Float) else "text" if isinstance(column.type, Text) else "integer"
    return [name, "null"] if column.nullable else [name]
