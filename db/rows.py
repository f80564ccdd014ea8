"""Records to rows and back. What the tables cannot hold exactly is refused before a transaction begins."""

import hashlib
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import Row

from germline.db import exact_json, owner
from germline.db.errors import InvalidRecord, unreadable
from germline.db.records import (
    OUTCOMES,
    PARENTLESS,
    ArtifactRecord,
    BirthScore,
    EvaluationRecord,
    IndividualRecord,
    ReviewScore,
    RunRecord,
)
from germline.db.typed import checked

_NAME = re.compile(r"\w[\w.+-]{0,99}")
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")  # what PostgreSQL or UTF-8 has no bytes for

COUNTS: Final = ("episodes", "steps", "frames")
"""The measures that say how much a policy played."""
_MOST: Final = 2**53  # up to here a float counts exactly


def now() -> str:
    """UTC in ISO 8601, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def digest(kind: str, text: str) -> str:
    """The address of a genome: 32 hex digits of BLAKE2b-128 over its kind, a NUL and its text."""
    return hashlib.blake2b(kind.encode() + b"\0" + text.encode(), digest_size=16).hexdigest()


def genome_digests(kind: str, records: Sequence[IndividualRecord]) -> list[str]:
    """The address of each record's genome.

    Raises:
        InvalidRecord: a genome that not every database can keep.
    """
    return [digest(kind, checked_text(one.genome, f"the genome of birth {one.birth}")) for one in records]


def checked_name(name: str) -> str:
    """A name that a run may have.

    Raises:
        InvalidRecord: it could be taken for a path, an option or a RUN:BIRTH.
    """
    if not _NAME.fullmatch(name):
        raise InvalidRecord(f"a run's name is up to 100 letters, digits and . _ + - not at the start, got {name!r}")
    return name


def checked_text(text: str, what: str) -> str:
    """A text that every database keeps as it is.

    Raises:
        InvalidRecord: NUL or half of a surrogate pair in it.
    """
    if not (text.isascii() and "\0" not in text) and _UNSTORABLE.search(text):
        raise InvalidRecord(f"{what} must be text without NUL and lone surrogates, got {text[:60]!r}")
    return text


def checked_whole(number: int, what: str, bits: int = 64) -> int:
    """A whole number of at most ``bits`` bits with its sign.

    Raises:
        InvalidRecord: it is larger.
    """
    limit = 1 << (bits - 1)
    if not -limit <= number < limit:
        raise InvalidRecord(f"{what} must fit in {bits} bits with its sign, got {number}")
    return int(number)


def genome_rows(kind: str, records: Sequence[IndividualRecord], digests: Sequence[str]) -> list[dict[str, Any]]:
    """One row for each different genome."""
    rows = {
        key: {"digest": key, "kind": kind, "fingerprint": record.fingerprint, "text": record.genome}
        for record, key in zip(records, digests, strict=True)
    }
    return list(rows.values())


def individual_rows(run_id: int, records: Sequence[IndividualRecord], digests: Sequence[str]) -> list[dict[str, Any]]:
    """One row a birth, in the order of births, so that a row never points to a later one."""
    rows = [
        {
            "run_id": run_id,
            "birth": checked_whole(record.birth, "a birth", bits=32),
            "block": checked_whole(record.block, "a block", bits=32),
            "genome": key,
            "fingerprint": checked_text(record.fingerprint, "a fingerprint"),
            "operator": checked_text(record.operator, "an operator"),
            "cached_from": None if record.cached_from is None else int(record.cached_from),
        }
        for record, key in zip(records, digests, strict=True)
    ]
    return sorted(rows, key=lambda row: row["birth"])


def rejection_rows(run_id: int, records: Sequence[IndividualRecord]) -> list[dict[str, Any]]:
    """One row for each birth before which genomes were thrown away."""
    return [
        {
            "run_id": run_id,
            "birth": int(record.birth),
            "genomes": checked_whole(record.rejected, "rejected genomes", bits=32),
        }
        for record in records
        if record.rejected
    ]


def parentage_rows(run_id: int, records: Sequence[IndividualRecord]) -> list[dict[str, Any]]:
    """One row for each parent of each birth.

    Raises:
        InvalidRecord: an operator that needs parents has none, or ``seed`` has some.
    """
    for record in records:
        if not record.parents and record.operator not in PARENTLESS:
            raise InvalidRecord(
                f"birth {record.birth} has operator {record.operator!r} and no parent: only {PARENTLESS} need none"
            )
        if record.parents and record.operator == "seed":
            raise InvalidRecord(
                f"birth {record.birth} has operator 'seed' and parents {record.parents}: a seed has none"
            )
    return [
        {"run_id": run_id, "birth": int(record.birth), "position": position, "parent": int(parent)}
        for record in records
        for position, parent in enumerate(record.parents)
    ]


def evaluation_rows(run_id: int, records: Sequence[EvaluationRecord]) -> list[dict[str, Any]]:
    """One row an evaluation, in the order given.

    Raises:
        InvalidRecord: an unknown status, or a fitness that is not finite or belongs to no ok outcome.
    """
    created = now()
    return [_evaluation_row(run_id, record, created) for record in records]


def _evaluation_row(run_id: int, record: EvaluationRecord, created: str) -> dict[str, Any]:
    if record.status not in OUTCOMES:
        raise InvalidRecord(f"the status of an evaluation is one of {', '.join(OUTCOMES)}, got {record.status!r}")
    fitness = None if record.fitness is None else float(record.fitness)
    if fitness is not None and (record.status != "ok" or not math.isfinite(fitness)):
        raise InvalidRecord(
            f"fitness must be finite, and None unless the status is ok, "
            f"got {fitness} with {record.status} for birth {record.birth}"
        )
    return {
        "run_id": run_id,
        "birth": checked_whole(record.birth, "a birth", bits=32),
        "fingerprint": checked_text(record.fingerprint, "a fingerprint"),
        "task": checked_text(record.task, "a task"),
        "rung": checked_whole(record.rung, "a rung", bits=32),
        "seed": checked_whole(record.seed, "the seed of an evaluation"),
        "status": record.status,
        "fitness": fitness,
        "objectives": exact_json.dump_floats(record.objectives),
        "measures": exact_json.dump_floats(record.measures),
        "seconds": float(record.seconds),
        "worker": checked_text(record.worker, "a worker"),
        # What a dying worker wrote is evidence: kept as far as text goes, never a reason to lose the outcome.
        "error": None if record.error is None else _UNSTORABLE.sub("\ufffd", record.error),
        "created": created,
    }


def run_row(row: Row[Any]) -> Row[Any]:
    """A row of ``run`` as it came.

    Raises:
        DamagedDatabase: a value is of a type that its column cannot have.
    """
    try:
        checked(RunRecord, tuple(row._mapping[field.name] for field in fields(RunRecord)))
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
