"""The reference of the database, from its schema: the columns of each table, and the views."""

from typing import Any

from markdown_table import code, table

from germline.db.schema import metadata
from germline.db.views import VIEWS


def database() -> str:
    """A section for each table and for each view."""
    tables = [f"### `{each.name}`\n\n{_columns(each)}" for each in metadata.tables.values()]
    views = [f"### `{name}`\n\n```sql\n{text.strip()}\n```\n" for name, text in VIEWS.items()]
    return "\n".join(["## Columns\n", *tables, "## Views\n", *views])


def _columns(of: Any) -> str:
    return table(["column", "type", "may be null", "key"], [_row(column) for column in of.columns])


def _row(column: Any) -> list[str]:
    keys = ["primary"] * column.primary_key
    keys += [f"of {code(key.target_fullname)}" for key in column.foreign_keys]
    return [code(column.name), str(column.type).lower(), "yes" if column.nullable else "", ", ".join(keys)]
