"""Whether the values of a row have the types of the record that they become.

SQLite lets a text or bytes stand in a column of numbers, and bytes in one of text. Nothing here imports SQLAlchemy,
whose import takes longer than ``germline runs`` may.
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
    IndividualRecord,
    ReviewScore,
    RunRecord,
    RunSummary,
)

_Column: TypeAlias = tuple[str, tuple[type, ...]]
"""A name, and the types that its values can have."""


def checked(record: type, values: tuple[Any, ...]) -> tuple[Any, ...]:
    """The values as they came, if each has a type that its column can have.

    Args:
        record: which one they become.
        values: one for each of its columns, which are its fields without ``parents``; mappings are still text.

    Raises:
        ValueError: one is of another type.
    """
    if tuple(map(type, values)) not in _SIGNATURES[record]:
        for (name, types), value in zip(_COLUMNS[record], values, strict=True):
            if type(value) not in types:
                wanted = " or ".join(one.__name__ for one in types).replace("NoneType", "None")
                raise ValueError(f"expected {name} of type {wanted}, got {value!r:.40}")
    return values


def _columns(record: Any) -> list[_Column]:
    return [(one.name, _types(one.type)) for one in fields(record) if get_origin(one.type) is not tuple]


def _types(hint: Any) -> tuple[type, ...]:
    if isinstance(hint, UnionType):
        return get_args(hint)
    return (hint,) if get_origin(hint) is None else (str,)


_READ: Final[Sequence[type]] = (
    ArtifactRecord, BirthScore, EvaluationRecord, IndividualRecord, ReviewScore, RunRecord, RunSummary,
)  # fmt: skip
_COLUMNS: Final = {record: _columns(record) for record in _READ}
_SIGNATURES: Final = {
    record: frozenset(product(*(types for _, types in columns))) for record, columns in _COLUMNS.items()
}
"""All the types that a row can have, so that one look-up is enough to know that it has them."""
