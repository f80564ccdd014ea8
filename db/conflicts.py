"""Inserting rows of which some may be there already."""

from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import sqlite


def insert_into(connection: Connection, table: Table) -> Any:
    """An ``INSERT`` into a table that supports ``ON CONFLICT``, in the dialect of the connection.

    SQLAlchemy has it once for each dialect, as two classes with the same methods (``on_conflict_do_nothing``,
    ``on_conflict_do_update``) and no common base.
    """
    if connection.dialect.name == "postgresql":
        from sqlalchemy.dialects import postgresql  # here, because a file needs none of it

        return postgresql.insert(table)
    return sqlite.insert(table)
