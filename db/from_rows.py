"""Rows to records. A row that Germline cannot have written is refused.

A row has its values in the order of the record's fields, because its query selects `columns_of` the record. A run of
100,000 births is read row by row, and a dictionary for each row would make that a third slower.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any, Final

from sqlalchemy import ColumnElement, CursorResult, Row

from germline.db import exact_json, owner
from germline.db.column_types import PLACES, check_types
from germline.db.errors import unreadable
from germline.db.records import (
    ArtifactRecord,
    BirthScore,
    EvaluationRecord,
    Individual,
    ReviewScore,
    RunRecord,
    Winner,
)

COUNTS: Final[Mapping[str, Sequence[str]]] = {"policy": ("episodes", "steps", "frames")}
"""By kind, the measures that are counts; reading checks them, so that sums need not."""
_LARGEST_COUNT: Final = 2**53  # up to here a float counts exactly

_BIRTH: Final = PLACES[Individual]["birth"]
_PARENTS: Final = [field.name for field in fields(Individual)].index("parents")
_RUNG: Final = PLACES[EvaluationRecord]["rung"]
_OBJECTIVES: Final = PLACES[EvaluationRecord]["objectives"]
_MEASURES: Final = PLACES[EvaluationRecord]["measures"]
_MEASURE: Final = PLACES[BirthScore]["measure"]
_REVIEW_MEASURES: Final = PLACES[ReviewScore]["measures"]

Values = list[Any]
"""A row: values in the order of the record's fields. A reader may change it, so that no row is copied."""


def columns_of(record: type, of: Any, **others: ColumnElement[Any]) -> list[ColumnElement[Any]]:
    """The columns that a query must select for a record, in the order of its fields.

    Args:
        record: the class of the record.
        of: the table with the columns of the same names as the fields.
        others: expressions for fields that are not a column of the table.
    """
    return [others[name].label(name) if name in others else of.c[name] for name in PLACES[record]]


def fetch(result: CursorResult[Any]) -> Iterator[Values]:
    """All rows of a query. They are fetched at once, so that the query is over, and become lists one after another."""
    return map(list, result.all())


def run_row(row: Row[Any]) -> Row[Any]:
    """The same row of ``run``, after a check.

    Raises:
        DamagedDatabase: a value is of a type that its column cannot have.
    """
    try:
        check_types(RunRecord, [row._mapping[name] for name in PLACES[RunRecord]])
        if row.seed < 0:
            raise ValueError(f"expected seed to be 0 or more, got {row.seed}")
    except ValueError as error:
        raise unreadable(f"run {row.name!r}", error) from error
    return row


def run_record(row: Row[Any]) -> RunRecord:
    """The record of a row of ``run``; its status is ``interrupted`` if its driver is dead.

    Raises:
        DamagedDatabase: the row cannot be read.
    """
    values = dict(run_row(row)._mapping)
    try:
        values["config"] = read_config(values["config"])
        values["environment"] = exact_json.load_plain(values["environment"])
    except ValueError as error:
        raise unreadable(f"run {row.name!r}", error) from error
    values["status"], values["owner"] = owner.shown(values["status"], values["owner"])
    return RunRecord(**values)


def individual_record(values: Values, parents: Mapping[int, tuple[int, ...]]) -> Individual:
    """The record of an individual.

    Args:
        values: of its fields without ``parents``.
        parents: of many births; a birth without parents is missing.

    Raises:
        DamagedDatabase: a value is of a type that its column cannot have.
    """
    try:
        check_types(Individual, values)
    except ValueError as error:
        raise unreadable(f"birth {values[_BIRTH]!r}", error) from error
    values.insert(_PARENTS, parents.get(values[_BIRTH], ()))
    return Individual(*values)


def evaluation_record(values: Values, kind: str | None) -> EvaluationRecord:
    """The record of an evaluation in a run of this kind.

    Raises:
        DamagedDatabase: a value is of a type that its column cannot have, or objectives or measures cannot be read.
    """
    try:
        check_types(EvaluationRecord, values)
        if values[_RUNG] < 0:
            raise ValueError(f"expected rung to be 0 or more, got {values[_RUNG]}")
        values[_OBJECTIVES] = exact_json.load_floats(values[_OBJECTIVES])
        values[_MEASURES] = read_measures(values[_MEASURES], kind)
    except ValueError as error:
        raise unreadable(f"the evaluation of birth {_key(EvaluationRecord, values)}", error) from error
    return EvaluationRecord(*values)


def birth_score(values: Values, measure: str, kind: str | None) -> BirthScore:
    """The record of a birth's score.

    Args:
        values: of its fields, but in the place of ``measure`` the text of all measures.
        measure: the name of the measure to read.
        kind: of the run.

    Raises:
        DamagedDatabase: a value is of a type that its column cannot have, or the measure cannot be read.
    """
    text = values[_MEASURE]
    try:
        value = None if text is None else exact_json.load_one(text, measure)
        if value is not None:
            _check_counts({measure: value}, kind)
        values[_MEASURE] = value
        check_types(BirthScore, values)
    except (ValueError, TypeError) as error:
        raise unreadable(f"the outcome of birth {_key(BirthScore, values)}", error) from error
    return BirthScore(*values)


def review_score(values: Values, kind: str | None) -> ReviewScore:
    """The record of a review's score in a run of this kind.

    Raises:
        DamagedDatabase: a value is of a type that its column cannot have, or the measures cannot be read.
    """
    try:
        check_types(ReviewScore, values)
        values[_REVIEW_MEASURES] = read_measures(values[_REVIEW_MEASURES], kind)
    except ValueError as error:
        raise unreadable(f"a review of birth {_key(ReviewScore, values)}", error) from error
    return ReviewScore(*values)


def winner_record(values: Values) -> Winner:
    """The record of a winner.

    Raises:
        DamagedDatabase: a value is of a type that its column cannot have.
    """
    try:
        check_types(Winner, values)
    except ValueError as error:
        raise unreadable(f"the winner of block {_key(Winner, values, 'block')}", error) from error
    return Winner(*values)


def artifact_record(values: Values) -> ArtifactRecord:
    """The record of an exported file.

    Raises:
        DamagedDatabase: a value is of a type that its column cannot have.
    """
    try:
        check_types(ArtifactRecord, values)
    except ValueError as error:
        raise unreadable(f"an artifact of birth {_key(ArtifactRecord, values)}", error) from error
    return ArtifactRecord(*values)


def read_config(text: str) -> dict[str, Any]:
    """The config of a run.

    Raises:
        ValueError: it is not a JSON object, or its settings are not.
    """
    config = exact_json.load_plain(text)
    if not isinstance(config.get("settings", {}), dict):
        raise ValueError(f"expected settings to be a JSON object, got {config['settings']!r:.40}")
    return config


def read_measures(text: str, kind: str | None) -> dict[str, float]:
    """The measures of an evaluation in a run of this kind.

    Raises:
        ValueError: they are not a JSON object of floats, or a measure that should be a count is not.
    """
    measures = exact_json.load_floats(text)
    _check_counts(measures, kind)
    return measures


def _key(record: type, values: Values, name: str = "birth") -> str:
    """The value of a key column, for a message: it may be of any type."""
    return repr(values[PLACES[record][name]])


def _check_counts(measures: Mapping[str, float], kind: str | None) -> None:
    for name in COUNTS.get(kind or "", ()):
        if name in measures and not 0 <= measures[name] <= _LARGEST_COUNT:
            raise ValueError(f"expected {name} to be a count, got {measures[name]}")
