"""Rows to records. What no longer reads, because something else than Germline has written it, is refused."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Final

from sqlalchemy import Row

from germline.db import exact_json, owner
from germline.db.column_types import checked
from germline.db.errors import unreadable
from germline.db.records import (
    ArtifactRecord,
    BirthScore,
    EvaluationRecord,
    IndividualRecord,
    ReviewScore,
    RunRecord,
)

COUNTS: Final = ("episodes", "steps", "frames")
"""The measures that say how much a policy played."""
_MOST: Final = 2**53  # up to here a float counts exactly


def run_row(row: Row[Any]) -> Row[Any]:
    """A row of ``run`` as it came.

    Raises:
        DamagedDatabase: a value is of a type that its column cannot have.
    """
    try:
        checked(RunRecord, tuple(row._mapping[field.name] for field in fields(RunRecord)))
        if row.seed < 0:
            raise ValueError(f"expected seed to be 0 or more, got {row.seed}")
    except ValueError as error:
        raise unreadable(f"run {row.name!r}", error) from error
    return row


def run_record(row: Row[Any]) -> RunRecord:
    """A row of ``run`` as it is shown: ``interrupted`` if its driver is dead.

    Raises:
        DamagedDatabase: the row no longer reads.
    """
    values = dict(run_row(row)._mapping)
    try:
        values["config"] = read_config(values["config"])
        values["environment"] = exact_json.load_plain(values["environment"])
    except ValueError as error:
        raise unreadable(f"run {row.name!r}", error) from error
    values["status"], values["owner"] = owner.shown(values["status"], values["owner"])
    return RunRecord(**values)


def individual_record(values: tuple[Any, ...], parents: Mapping[int, tuple[int, ...]]) -> IndividualRecord:
    """The columns of an ``IndividualRecord`` in the order of its fields, without its parents.

    Raises:
        DamagedDatabase: a value is of a type that its column cannot have.
    """
    try:
        birth, block, *others = checked(IndividualRecord, values)
    except ValueError as error:
        raise unreadable(f"birth {values[0]!r}", error) from error
    return IndividualRecord(birth, block, parents.get(birth, ()), *others)


def evaluation_record(values: tuple[Any, ...], kind: str | None) -> EvaluationRecord:
    """The columns of ``evaluation`` in the order of the record's fields, in a run of a kind.

    Raises:
        DamagedDatabase: a value is of a type that its column cannot have, or the objectives or measures no longer read.
    """
    try:
        checked(EvaluationRecord, values)
        if values[3] < 0:
            raise ValueError(f"expected rung to be 0 or more, got {values[3]}")
        objectives, measures = exact_json.load_floats(values[7]), read_measures(values[8], kind)
        return EvaluationRecord(*(*values[:7], objectives, measures, *values[9:]))
    except ValueError as error:
        raise unreadable(f"the evaluation of birth {values[0]!r}", error) from error


def birth_score(values: tuple[Any, ...], measure: str, kind: str | None) -> BirthScore:
    """The columns of a ``BirthScore`` in the order of its fields, with all measures in place of the last.

    Raises:
        DamagedDatabase: a value is of a type that its column cannot have, or the measure no longer reads.
    """
    *others, measures = values
    try:
        found = None if measures is None else exact_json.load_one(measures, measure)
        if found is not None and measure in COUNTS:
            _counted({measure: found}, kind)
        return BirthScore(*checked(BirthScore, (*others, found)))
    except (ValueError, TypeError) as error:
        raise unreadable(f"the outcome of birth {values[0]!r}", error) from error


def review_score(values: tuple[Any, ...], kind: str | None) -> ReviewScore:
    """The columns of a ``ReviewScore`` in the order of its fields, in a run of a kind.

    Raises:
        DamagedDatabase: a value is of a type that its column cannot have, or the measures no longer read.
    """
    try:
        *others, measures = checked(ReviewScore, values)
        return ReviewScore(*(*others, read_measures(measures, kind)))
    except ValueError as error:
        raise unreadable(f"a review of birth {values[0]!r}", error) from error


def artifact_record(values: tuple[Any, ...]) -> ArtifactRecord:
    """The columns of ``artifact`` in the order of the record's fields.

    Raises:
        DamagedDatabase: a value is of a type that its column cannot have.
    """
    try:
        return ArtifactRecord(*checked(ArtifactRecord, values))
    except ValueError as error:
        raise unreadable(f"an artifact of birth {values[0]!r}", error) from error


def read_config(text: str) -> dict[str, Any]:
    """The config of a run.

    Raises:
        ValueError: it is no JSON object, or the settings in it are none.
    """
    config = exact_json.load_plain(text)
    if not isinstance(config.get("settings", {}), dict):
        raise ValueError(f"expected settings to be a JSON object, got {config['settings']!r:.40}")
    return config


def read_measures(text: str, kind: str | None) -> dict[str, float]:
    """The measures of an evaluation in a run of a kind.

    Raises:
        ValueError: they are no JSON object of floats; or of a policy, what should be a count is none.
    """
    return _counted(exact_json.load_floats(text), kind)


def _counted(measures: dict[str, float], kind: str | None) -> dict[str, float]:
    """The measures as they came, if those of what policies played are counts; other kinds may call anything so."""
    if kind == "policy":
        for name in COUNTS:
            if name in measures and not 0 <= measures[name] <= _MOST:
                raise ValueError(f"expected {name} to be a count, got {measures[name]}")
    return measures
