"""Makes records from rows. A row that Germline cannot have written raises `DamagedDatabase`.

The values of a row are in the order of the record's fields, because its query selects `columns_of` the record. A
dictionary for each row would make reading a run of 100,000 births a third slower.
"""

from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any, Final

from sqlalchemy import ColumnElement, CursorResult, Row

from germline.db import exact_json, owner
from germline.db.column_types import COLUMN_INDEX, check_types
from germline.db.errors import unreadable_row
from germline.db.genomes.reading import GenomeTexts
from germline.db.json_texts import check_counts, read_config, read_measures
from germline.db.records import (
    PROPOSAL_STATES,
    ArtifactRecord,
    BirthScore,
    EvaluationRecord,
    Individual,
    ProposalRecord,
    ProposalTotals,
    ReviewScore,
    RunRecord,
    SimplifiedRecord,
    Snapshot,
    TrainingRecord,
    VerdictRecord,
    Winner,
)

_BIRTH: Final = COLUMN_INDEX[Individual]["birth"]
_GENOME: Final = COLUMN_INDEX[Individual]["genome"]
_PARENTS: Final = [field.name for field in fields(Individual)].index("parents")
_RUNG: Final = COLUMN_INDEX[EvaluationRecord]["rung"]
_OBJECTIVES: Final = COLUMN_INDEX[EvaluationRecord]["objectives"]
_MEASURES: Final = COLUMN_INDEX[EvaluationRecord]["measures"]
_SIMPLIFIED_GENOME: Final = COLUMN_INDEX[SimplifiedRecord]["genome"]
_STEPS: Final = COLUMN_INDEX[SimplifiedRecord]["steps"]
_TRAINING_MEASURES: Final = COLUMN_INDEX[TrainingRecord]["measures"]
_CONTENT: Final = COLUMN_INDEX[VerdictRecord]["content"]
_MEASURE: Final = COLUMN_INDEX[BirthScore]["measure"]
_REVIEW_MEASURES: Final = COLUMN_INDEX[ReviewScore]["measures"]

Values = list[Any]
"""The values of a row, in the order of the record's fields. A function that makes a record may change the list, which
saves a copy of every row."""


def columns_of(record: type, table: Any, **expressions: ColumnElement[Any]) -> list[ColumnElement[Any]]:
    """The columns that a query must select for a record, in the order of its fields.

    Args:
        record: the class of the record.
        table: a table or view whose columns have the names of the fields.
        expressions: an expression for each field that is not a column of the table, by the field's name.
    """
    return [expressions[name].label(name) if name in expressions else table.c[name] for name in COLUMN_INDEX[record]]


def fetch(result: CursorResult[Any]) -> Iterator[Values]:
    """The rows of a query as lists. They are fetched at once, so that the query has ended before a row is read."""
    return map(list, result.all())


def run_row(row: Row[Any]) -> Row[Any]:
    """Returns the given row of ``run``, after a check.

    Raises:
        DamagedDatabase: a value has a type that its column cannot have, or the seed is negative.
    """
    try:
        check_types(RunRecord, [row._mapping[name] for name in COLUMN_INDEX[RunRecord]])
        if row.seed < 0:
            raise ValueError(f"expected seed to be 0 or more, got {row.seed}")
    except ValueError as error:
        raise unreadable_row(f"run {row.name!r}", error) from error
    return row


def run_record(row: Row[Any]) -> RunRecord:
    """The record of a row of ``run``, with the status ``interrupted`` if the driver is dead.

    Raises:
        DamagedDatabase: the row cannot be read.
    """
    values = dict(run_row(row)._mapping)
    try:
        values["config"] = read_config(values["config"])
        values["environment"] = exact_json.load_plain(values["environment"])
    except ValueError as error:
        raise unreadable_row(f"run {row.name!r}", error) from error
    values["status"], values["owner"] = owner.displayed(values["status"], values["owner"])
    return RunRecord(**values)


def individual_record(values: Values, texts: GenomeTexts, parents: Mapping[int, tuple[int, ...]]) -> Individual:
    """The record of an individual.

    Args:
        values: the values of all fields but ``parents``, with the digest of the genome in the place of its text.
        texts: of the genomes of any number of births.
        parents: the parents of each birth that has parents, for any number of births.

    Raises:
        DamagedDatabase: a value has a type that its column cannot have, or the text of the genome cannot be read.
    """
    try:
        values[_GENOME] = texts.text(values[_GENOME])
        check_types(Individual, values)
    except ValueError as error:
        raise unreadable_row(f"birth {values[_BIRTH]!r}", error) from error
    values.insert(_PARENTS, parents.get(values[_BIRTH], ()))
    return Individual(*values)


def evaluation_record(values: Values, kind: str | None) -> EvaluationRecord:
    """The record of an evaluation. ``kind`` is the kind of the run, None if there is no such run.

    Raises:
        DamagedDatabase: a value has a type that its column cannot have, or cannot be parsed.
    """
    try:
        check_types(EvaluationRecord, values)
        if values[_RUNG] < 0:
            raise ValueError(f"expected rung to be 0 or more, got {values[_RUNG]}")
        values[_OBJECTIVES] = exact_json.load_floats(values[_OBJECTIVES])
        values[_MEASURES] = read_measures(values[_MEASURES], kind)
    except ValueError as error:
        raise unreadable_row(f"the evaluation of birth {_key(EvaluationRecord, values)}", error) from error
    return EvaluationRecord(*values)


def birth_score(values: Values, measure: str, kind: str | None) -> BirthScore:
    """The record of a birth's score.

    Args:
        values: the values of the fields of `BirthScore`, in order. In the place of ``measure`` stands the JSON text of
            all measures, None without an outcome.
        measure: the name of the measure to read from that text.
        kind: the kind of the run.

    Raises:
        DamagedDatabase: a value has a type that its column cannot have, or the measure cannot be parsed.
    """
    text = values[_MEASURE]
    try:
        value = None if text is None else exact_json.load_float(text, measure)
        if value is not None:
            check_counts({measure: value}, kind)
        values[_MEASURE] = value
        check_types(BirthScore, values)
    except (ValueError, TypeError) as error:
        raise unreadable_row(f"the outcome of birth {_key(BirthScore, values)}", error) from error
    return BirthScore(*values)


def review_score(values: Values, kind: str | None) -> ReviewScore:
    """The record of a review's score. ``kind`` is the kind of the run.

    Raises:
        DamagedDatabase: a value has a type that its column cannot have, or the measures cannot be parsed.
    """
    try:
        check_types(ReviewScore, values)
        values[_REVIEW_MEASURES] = read_measures(values[_REVIEW_MEASURES], kind)
    except ValueError as error:
        raise unreadable_row(f"a review of birth {_key(ReviewScore, values)}", error) from error
    return ReviewScore(*values)


def winner_record(values: Values) -> Winner:
    """The record of a winner.

    Raises:
        DamagedDatabase: a value has a type that its column cannot have.
    """
    try:
        check_types(Winner, values)
    except ValueError as error:
        raise unreadable_row(f"the winner of block {_key(Winner, values, 'block')}", error) from error
    return Winner(*values)


def snapshot_record(values: Values) -> Snapshot:
    """The record of a snapshot.

    Raises:
        DamagedDatabase: a value has a type that its column cannot have.
    """
    try:
        check_types(Snapshot, values)
    except ValueError as error:
        raise unreadable_row("a snapshot", error) from error
    return Snapshot(*values)


def artifact_record(values: Values) -> ArtifactRecord:
    """The record of an exported file.

    Raises:
        DamagedDatabase: a value has a type that its column cannot have.
    """
    try:
        check_types(ArtifactRecord, values)
    except ValueError as error:
        raise unreadable_row(f"an artifact of birth {_key(ArtifactRecord, values)}", error) from error
    return ArtifactRecord(*values)


def simplified_record(values: Values, texts: GenomeTexts) -> SimplifiedRecord:
    """The record of a simplified program. ``texts`` has the text of the digest in the place of the genome.

    Raises:
        DamagedDatabase: a value has a type that its column cannot have, or the text or the steps cannot be read.
    """
    try:
        values[_SIMPLIFIED_GENOME] = texts.text(values[_SIMPLIFIED_GENOME])
        check_types(SimplifiedRecord, values)
        values[_STEPS] = exact_json.load_plain(values[_STEPS])
    except ValueError as error:
        raise unreadable_row(f"the simplified birth {_key(SimplifiedRecord, values)}", error) from error
    return SimplifiedRecord(*values)


def proposal_record(values: Values) -> ProposalRecord:
    """The record of a proposal.

    Raises:
        DamagedDatabase: a value has a type that its column cannot have, the status is unknown, or a count is negative.
    """
    try:
        check_types(ProposalRecord, values)
        record = ProposalRecord(*values)
        if record.status not in PROPOSAL_STATES:
            raise ValueError(f"expected status out of {', '.join(PROPOSAL_STATES)}, got {record.status!r:.40}")
        if min(record.position, record.calls, record.prompt_tokens, record.answer_tokens) < 0:
            raise ValueError("expected counts of 0 or more")
    except ValueError as error:
        raise unreadable_row(f"the proposal for birth {_key(ProposalRecord, values)}", error) from error
    return record


def proposal_totals(values: Values) -> ProposalTotals:
    """The totals of an operator.

    Raises:
        DamagedDatabase: a value that was added up is no whole number.
    """
    try:
        check_types(ProposalTotals, values)
    except ValueError as error:
        raise unreadable_row("a proposal", error) from error
    return ProposalTotals(*values)


def training_record(values: Values) -> TrainingRecord:
    """The record of a training.

    Raises:
        DamagedDatabase: a value has a type that its column cannot have, or the measures cannot be parsed.
    """
    try:
        check_types(TrainingRecord, values)
        values[_TRAINING_MEASURES] = exact_json.load_floats(values[_TRAINING_MEASURES])
    except ValueError as error:
        raise unreadable_row(f"a training with seed {_key(TrainingRecord, values, 'seed')}", error) from error
    return TrainingRecord(*values)


def verdict_record(values: Values) -> VerdictRecord:
    """The record of a verdict.

    Raises:
        DamagedDatabase: a value has a type that its column cannot have, or the content cannot be parsed.
    """
    try:
        check_types(VerdictRecord, values)
        values[_CONTENT] = exact_json.load_plain(values[_CONTENT])
    except ValueError as error:
        raise unreadable_row(f"the verdict on birth {_key(VerdictRecord, values)}", error) from error
    return VerdictRecord(*values)


def _key(record: type, values: Values, name: str = "birth") -> str:
    """The value of a key column as text for a message; it may have any type."""
    return repr(values[COLUMN_INDEX[record][name]])
