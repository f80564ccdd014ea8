"""A check that the values of a row have the types of the record's fields.

SQLite can store a value of any type in any column. SQLAlchemy is not imported: ``germline runs`` must answer sooner.
"""

from collections.abc import Sequence
from dataclasses import fields
from itertools import product
from types import UnionType
from typing import Any, Final, TypeAlias, get_args, get_origin

from germline.db.records import (
    ArtifactRecord,
    BirthScore,
    EvaluationRecord,
    Individual,
    ProposalRecord,
    ProposalTotals,
    ReviewScore,
    RunRecord,
    RunSummary,
    SimplifiedRecord,
    Snapshot,
    TrainingRecord,
    VerdictRecord,
    Winner,
)

_Column: TypeAlias = tuple[str, tuple[type, ...]]
"""The name of a column and the types that its values can have."""


def check_types(record: type, values: Sequence[Any]) -> None:
    """Checks that each value of a row has a type that its column can have.

    Args:
        record: the class of the record that is made from the row.
        values: the values in the order of ``COLUMN_INDEX[record]``, with mappings as JSON text.

    Raises:
        ValueError: a value has another type.
    """
    if tuple(map(type, values)) not in _SIGNATURES[record]:
        for (name, types), value in zip(_COLUMNS[record], values, strict=True):
            if type(value) not in types:
                expected = " or ".join(each.__name__ for each in types).replace("NoneType", "None")
                raise ValueError(f"expected {name} of type {expected}, got {value!r:.40}")


def _columns(record: Any) -> list[_Column]:
    return [(field.name, _types(field.type)) for field in fields(record) if get_origin(field.type) is not tuple]


def _types(hint: Any) -> tuple[type, ...]:
    if isinstance(hint, UnionType):
        return get_args(hint)
    return (hint,) if get_origin(hint) is None else (str,)


_RECORDS: Final[Sequence[type]] = (
    ArtifactRecord, BirthScore, EvaluationRecord, Individual, ProposalRecord, ProposalTotals, ReviewScore,
    RunRecord, RunSummary, SimplifiedRecord, Snapshot, TrainingRecord, VerdictRecord, Winner,
)  # fmt: skip
_COLUMNS: Final = {record: _columns(record) for record in _RECORDS}
COLUMN_INDEX: Final = {
    record: {name: index for index, (name, _) in enumerate(columns)} for record, columns in _COLUMNS.items()
}
"""The index in a row of each column of each record, in the order of the record's fields.

A field that is a tuple has no column.
"""
_SIGNATURES: Final = {
    record: frozenset(product(*(types for _, types in columns))) for record, columns in _COLUMNS.items()
}
"""All combinations of types that a row can have, so that a single look-up checks a row."""
