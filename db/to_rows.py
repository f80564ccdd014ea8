"""Makes rows from records. A value that the tables cannot store exactly raises `InvalidRecord` before a transaction."""

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
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")  # characters that PostgreSQL or UTF-8 cannot encode


def now() -> str:
    """The present time in UTC as ISO 8601, with milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def digest(kind: str, text: str) -> str:
    """The key of a genome: BLAKE2b-128 of its kind, a NUL and its text, as 32 hex digits."""
    return hashlib.blake2b(kind.encode() + b"\0" + text.encode(), digest_size=16).hexdigest()


def storable(text: str) -> str:
    """The text with a replacement for each character that no database can hold."""
    return _UNSTORABLE.sub("\ufffd", text)


def genome_digests(kind: str, records: Sequence[Individual]) -> list[str]:
    """The key of each record's genome.

    Raises:
        InvalidRecord: a genome is not storable text.
    """
    return [digest(kind, checked_text(record.genome, f"the genome of birth {record.birth}")) for record in records]


def checked_name(name: str) -> str:
    """Returns the name of a run.

    Raises:
        InvalidRecord: the name could be read as a path, an option or RUN:BIRTH.
    """
    if not _NAME.fullmatch(name):
        raise InvalidRecord(
            f"expected a run's name of up to 100 letters, digits, _ . + and -, not begun by . + or -, got {name!r}"
        )
    return name


def is_storable(text: str) -> bool:
    """True if a text contains neither NUL nor a lone surrogate."""
    return (text.isascii() and "\0" not in text) or not _UNSTORABLE.search(text)


def checked_text(text: str, what: str) -> str:
    """Returns the text; ``what`` names it in the error.

    Raises:
        InvalidRecord: the text contains NUL or a lone surrogate.
    """
    if not is_storable(text):
        raise InvalidRecord(f"{what} must be text without NUL and lone surrogates, got {text[:60]!r}")
    return text


def checked_integer(number: int, what: str, bits: int = 64) -> int:
    """Returns the integer; ``what`` names it in the error.

    Raises:
        InvalidRecord: the integer does not fit in ``bits`` bits with its sign.
    """
    limit = 1 << (bits - 1)
    if not -limit <= number < limit:
        raise InvalidRecord(f"{what} must fit in {bits} bits with its sign, got {number}")
    return int(number)


def checked_seed(seed: int) -> int:
    """Returns the seed of a run.

    Raises:
        InvalidRecord: the seed is negative or does not fit in 64 bits with its sign.
    """
    if seed < 0:
        raise InvalidRecord(f"the seed of a run must be 0 or more, got {seed}")
    return checked_integer(seed, "the seed of a run")


def individual_rows(run_id: int, records: Sequence[Individual], digests: Sequence[str]) -> list[dict[str, Any]]:
    """A row of ``individual`` for each record, in order of birth, so that no row refers to a later row."""
    rows = [
        {
            "run_id": run_id,
            "birth": checked_integer(record.birth, "a birth", bits=32),
            "block": checked_integer(record.block, "a block", bits=32),
            "genome": key,
            "fingerprint": checked_text(record.fingerprint, "a fingerprint"),
            "operator": checked_text(record.operator, "an operator"),
            "cached_from": None if record.cached_from is None else int(record.cached_from),
        }
        for record, key in zip(records, digests, strict=True)
    ]
    return sorted(rows, key=lambda row: row["birth"])


def rejection_rows(run_id: int, records: Sequence[Individual]) -> list[dict[str, Any]]:
    """A row of ``rejection`` for each record with rejected genomes."""
    return [
        {
            "run_id": run_id,
            "birth": int(record.birth),
            "genomes": checked_integer(record.rejected, "rejected genomes", bits=32),
        }
        for record in records
        if record.rejected
    ]


def parentage_rows(run_id: int, records: Sequence[Individual]) -> list[dict[str, Any]]:
    """A row of ``parentage`` for each parent of each record.

    Raises:
        InvalidRecord: a record has no parents though its operator needs them, or has parents with operator ``seed``.
    """
    for record in records:
        if not record.parents and record.operator not in PARENTLESS:
            raise InvalidRecord(
                f"birth {record.birth} has operator {record.operator!r} and no parent: "
                f"only {' and '.join(PARENTLESS)} need none"
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
    """A row of ``winner`` for each record."""
    return [
        {
            "run_id": run_id,
            "block": checked_integer(record.block, "a block", bits=32),
            "closing": record.closing,
            "birth": None if record.birth is None else checked_integer(record.birth, "a birth", bits=32),
        }
        for record in records
    ]


def evaluation_rows(run_id: int, records: Sequence[EvaluationRecord]) -> list[dict[str, Any]]:
    """A row of ``evaluation`` for each record, in the same order.

    Raises:
        InvalidRecord: a status is unknown, a fitness is not finite or belongs to a status other than ok, or
            seconds are not finite.
    """
    created = now()
    return [_evaluation_row(run_id, record, created) for record in records]


def _evaluation_row(run_id: int, record: EvaluationRecord, created: str) -> dict[str, Any]:
    if record.status not in OUTCOMES:
        raise InvalidRecord(f"expected a status of an evaluation ({', '.join(OUTCOMES)}), got {record.status!r}")
    fitness = None if record.fitness is None else float(record.fitness)
    if fitness is not None and (record.status != "ok" or not math.isfinite(fitness)):
        raise InvalidRecord(
            f"expected a finite fitness, and None unless the status is ok, "
            f"got {fitness} with status {record.status} for birth {record.birth}"
        )
    seconds = float(record.seconds)
    if not math.isfinite(seconds):
        raise InvalidRecord(f"expected finite seconds, got {seconds} for birth {record.birth}")
    return {
        "run_id": run_id,
        "birth": checked_integer(record.birth, "a birth", bits=32),
        "fingerprint": checked_text(record.fingerprint, "a fingerprint"),
        "task": checked_text(record.task, "a task"),
        "rung": checked_integer(record.rung, "a rung", bits=32),
        "seed": checked_integer(record.seed, "the seed of an evaluation"),
        "status": record.status,
        "fitness": fitness,
        "objectives": exact_json.dump_floats(record.objectives),
        "measures": exact_json.dump_floats(record.measures),
        "seconds": seconds + 0.0,  # never -0.0
        "worker": checked_text(record.worker, "a worker"),
        # An unstorable character in the error text of a dying worker must not cost the outcome.
        "error": None if record.error is None else storable(record.error),
        "created": created,
        "negative_zero": True if fitness == 0.0 and math.copysign(1.0, fitness) < 0.0 else None,
    }
