"""Inserting many new rows: the rows of a block, without the work that SQLAlchemy does for each row."""

from collections.abc import Mapping, Sequence
from functools import cache
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, Table, insert


def insert_rows(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Inserts rows into a table.

    Args:
        connection: in a transaction that writes.
        table: its values must be those that SQLite and Python's module for it have, as all of Germline's are.
        rows: two or more values each, by the names of the same columns in all rows; there may be no row.

    Raises:
        IntegrityError: SQLAlchemy's own, if a row is there already or refers to a missing row.
    """
    if not rows:
        return
    if connection.dialect.name != "sqlite":
        connection.execute(insert(table), rows)
        return
    names = tuple(rows[0])
    connection.exec_driver_sql(_statement(table.name, names), list(map(itemgetter(*names), rows)))


@cache
def _statement(table: str, columns: tuple[str, ...]) -> str:
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"
