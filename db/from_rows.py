"""Rows to records. A row that Germline cannot have written is refused."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any, Final

from sqlalchemy import CursorResult, Row

from germline.db import exact_json, owner
from germline.db.column_types import check_types
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
"""By kind, the measures that are counts. Whoever sums them up need not check them again."""
_LARGEST_COUNT: Final = 2**53  # up to here a float counts exactly

Values = dict[str, Any]
"""A row: values by the names of the record's fields. A reader may change it, so that no row is copied."""


def by_name(result: CursorResult[Any]) -> list[Values]:
    """All rows of a query, each as values by the names of its columns."""
    names = tuple(result.keys())
    return [dict(zip(names, row)) for row in result.all()]  # noqa: B905  # as many names as values


def run_row(row: Row[Any]) -> Row[Any]:
    """The same row of ``run``, after a check.

    Raises:
        DamagedDatabase: a value is of a type that its column cannot have.
    """
    try:
        check_types(RunRecord, row._mapping)
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
        values: its fields without ``parents``.
        parents: of many births; one without parents is missing.

    Raises:
        DamagedDatabase: a value is of a type that its column cannot have.
    """
    try:
        check_types(Individual, values)
    except ValueError as error:
        raise unreadable(f"birth {values['birth']!r}", error) from error
    return Individual(parents=parents.get(values["birth"], ()), **values)


def evaluation_record(values: Values, kind: str | None) -> EvaluationRecord:
    """The record of an evaluation in a run of this kind.

    Raises:
        DamagedDatabase: a value is of a type that its column cannot have, or objectives or measures cannot be read.
    """
    try:
        check_types(EvaluationRecord, values)
        if values["rung"] < 0:
            raise ValueError(f"expected rung to be 0 or more, got {values['rung']}")
        values["objectives"] = exact_json.load_floats(values["objectives"])
        values["measures"] = read_measures(values["measures"], kind)
    except ValueError as error:
        raise unreadable(f"the evaluation of birth {values['birth']!r}", error) from error
    return EvaluationRecord(**values)


def birth_score(values: Values, measure: str, kind: str | None) -> BirthScore:
    """The record of a birth's score.

    Args:
        values: its fields, but in place of ``measure`` the text of all ``measures``.
        measure: the name of the measure to read.
        kind: of the run.

    Raises:
        DamagedDatabase: a value is of a type that its column cannot have, or the measure cannot be read.
    """
    text = values.pop("measures")
    try:
        value = None if text is None else exact_json.load_one(text, measure)
        if value is not None:
            _check_counts({measure: value}, kind)
        values["measure"] = value
        check_types(BirthScore, values)
    except (ValueError, TypeError) as error:
        raise unreadable(f"the outcome of birth {values['birth']!r}", error) from error
    return BirthScore(**values)


def review_score(values: Values, kind: str | None) -> ReviewScore:
    """The record of a review's score in a run of this kind.

    Raises:
        DamagedDatabase: a value is of a type that its column cannot have, or the measures cannot be read.
    """
    try:
        check_types(ReviewScore, values)
        values["measures"] = read_measures(values["measures"], kind)
    except ValueError as error:
        raise unreadable(f"a review of birth {values['birth']!r}", error) from error
    return ReviewScore(**values)


def winner_record(values: Values) -> Winner:
    """The record of a winner.

    Raises:
        DamagedDatabase: a value is of a type that its column cannot have.
    """
    try:
        check_types(Winner, values)
    except ValueError as error:
        raise unreadable(f"the winner of block {values['block']!r}", error) from error
    return Winner(**values)


def artifact_record(values: Values) -> ArtifactRecord:
    """The record of an exported file.

    Raises:
        DamagedDatabase: a value is of a type that its column cannot have.
    """
    try:
        check_types(ArtifactRecord, values)
    except ValueError as error:
        raise unreadable(f"an artifact of birth {values['birth']!r}", error) from error
    return ArtifactRecord(**values)


def columns_of(record: Any, of: Any) -> list[Any]:
    """The columns of a table that a record has fields for, in the order of the fields."""
    return [of.c[field.name] for field in fields(record)]


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


def _check_counts(measures: Mapping[str, float], kind: str | None) -> None:
    for name in COUNTS.get(kind or "", ()):
        if name in measures and not 0 <= measures[name] <= _LARGEST_COUNT:
            raise ValueError(f"expected {name} to be a count, got {measures[name]}")
