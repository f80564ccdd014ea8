"""The JSON of a command as CSV: a table with a line for each record."""

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from germline.cli.printing import printable


def csv_text(data: Any) -> str:
    """A table of what a command prints as JSON, with a header and `\\n` at the end of each line.

    A list of records has a line for each. A single record has one line, unless it holds a list of records, such as the
    episodes of `germline play`: then each of these has a line (of several lists, those of the first), and the other
    values are repeated. The keys of nested records are joined by dots, None is an empty cell, and other lists are JSON.
    In a text a tab becomes a blank; line ends stay.

    Args:
        data: plain JSON, in which numbers that are not finite are texts.
    """
    rows = [dict(_cells(record)) for record in _records(data)]
    columns = list(dict.fromkeys(key for row in rows for key in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _records(data: Any) -> Iterator[Mapping[str, Any]]:
    if not isinstance(data, Mapping):
        for each in data if _is_list(data) else [data]:
            yield from _records(each) if isinstance(each, Mapping) else [{"value": each}]
        return
    inner = next((key for key, value in data.items() if _is_records(value)), None)
    if inner is None:
        yield data
        return
    others = {key: value for key, value in data.items() if key != inner}
    for record in data[inner]:
        yield {**others, inner: record}


def _cells(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """The cells of a value with their columns; `key` is the column of the value itself."""
    if isinstance(value, Mapping) and value:
        for name, each in value.items():
            yield from _cells(each, f"{key}.{name}" if key else printable(str(name)).replace("\t", " "))
    elif value is None:
        yield key, ""
    else:
        yield key, printable(value).replace("\t", " ") if isinstance(value, str) else json.dumps(value)


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _is_records(value: Any) -> bool:
    return _is_list(value) and bool(value) and all(isinstance(each, Mapping) for each in value)
