"""Records to rows. What the tables cannot hold exactly is refused before a transaction begins."""

import hashlib
import math
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from germline.db import exact_json
from germline.db.errors import InvalidRecord
from germline.db.records import OUTCOMES, PARENTLESS, EvaluationRecord, Individual, Winner

_NAME = re.compile(r"\w[\w.+-]{0,99}")
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")  # what PostgreSQL or UTF-8 has no bytes for


def now() -> str:
    """UTC in ISO 8601, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def digest(kind: str, text: str) -> str:
    """The address of a genome: 32 hex digits of BLAKE2b-128 over its kind, a NUL and its text."""
    return hashlib.blake2b(kind.encode() + b"\0" + text.encode(), digest_size=16).hexdigest()


def genome_digests(kind: str, records: Sequence[Individual]) -> list[str]:
    """The address of each record's genome.

    Raises:
        InvalidRecord: a genome that not every database can keep.
    """
    return [digest(kind, checked_text(record.genome, f"the genome of birth {record.birth}")) for record in records]


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


def checked_seed(seed: int) -> int:
    """The seed of a run.

    Raises:
        InvalidRecord: it is negative, or too large.
    """
    if seed < 0:
        raise InvalidRecord(f"the seed of a run must be 0 or more, got {seed}")
    return checked_whole(seed, "the seed of a run")


def genome_rows(kind: str, records: Sequence[Individual], digests: Sequence[str]) -> list[dict[str, Any]]:
    """One row for each different genome."""
    rows = {
        key: {"digest": key, "kind": kind, "fingerprint": record.fingerprint, "text": record.genome}
        for record, key in zip(records, digests, strict=True)
    }
    return list(rows.values())


def individual_rows(run_id: int, records: Sequence[Individual], digests: Sequence[str]) -> list[dict[str, Any]]:
    """One row for each birth, in the order of births, so that a row never points to a later row."""
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


def rejection_rows(run_id: int, records: Sequence[Individual]) -> list[dict[str, Any]]:
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


def parentage_rows(run_id: int, records: Sequence[Individual]) -> list[dict[str, Any]]:
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


def winner_rows(run_id: int, records: Sequence[Winner]) -> list[dict[str, Any]]:
    """One row for each winner."""
    return [
        {
            "run_id": run_id,
            "block": checked_whole(record.block, "a block", bits=32),
            "closing": record.closing,
            "birth": None if record.birth is None else checked_whole(record.birth, "a birth", bits=32),
        }
        for record in records
    ]


def evaluation_rows(run_id: int, records: Sequence[EvaluationRecord]) -> list[dict[str, Any]]:
    """One row for each evaluation, in the order given.

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
