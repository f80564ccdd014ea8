"""How a record looks in a notebook: a table of its fields, in which every text is inert."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from html import escape
from typing import Any

LONGEST = 2_000
"""The most characters of a value; a longer value is cut and ends in …."""


class NotebookRecord:
    """A base of frozen dataclasses whose instances a notebook shows as a table, by `_repr_html_`."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        """The fields as rows of an HTML table. Texts are escaped, because a record may come from a foreign database."""
        assert is_dataclass(self)
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return f"<table><caption>{type(self).__name__}</caption>{_rows(values)}</table>"


def _rows(values: Mapping[str, Any]) -> str:
    style = "text-align:left;vertical-align:top"
    return "".join(
        f'<tr><th style="{style}">{_text(str(name))}</th><td style="{style}">{_cell(value)}</td></tr>'
        for name, value in values.items()
    )


def _cell(value: Any) -> str:
    if isinstance(value, NotebookRecord):
        return value._repr_html_()
    if isinstance(value, Mapping):
        return f"<table>{_rows(value)}</table>" if value else ""
    if isinstance(value, str) and "\n" in value:
        return f"<pre>{_text(value)}</pre>"
    return "" if value is None else _text(str(value))


def _text(text: str) -> str:
    short = text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
    return escape("".join(char if char.isprintable() or char in "\n\t" else "\ufffd" for char in short))
