"""Rows of ``training``: the outcomes of the trainings of tuned comparisons, which belong to no run.

A training is known by its text, its seed, its task, the version of what decides its numbers, and its rung. It is
recorded once and never changes.
"""

import math
from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Connection, select

from germline.db import exact_json, from_rows, to_rows
from germline.db.conflicts import insert_into
from germline.db.errors import InvalidRecord
from germline.db.records import OUTCOMES, TrainingRecord
from germline.db.schema import training

_CHUNK: Final = 500
"""Digests in a condition of a query."""
_KIND: Final = "training"
"""What stands for the kind of a genome in the digest of a training's text."""


def rows(task: str, version: str, rung: int, records: Sequence[TrainingRecord]) -> list[dict[str, Any]]:
    """A row for each record.

    Raises:
        InvalidRecord: a value cannot be stored, or a fitness is not finite or belongs to a status other than ok.
    """
    created = to_rows.now()
    shared = {
        "task": to_rows.checked_text(task, "a task"),
        "version": to_rows.checked_text(version, "a version"),
        "rung": to_rows.checked_integer(rung, "a rung", bits=32),
        "created": created,
    }
    return [{**shared, **_row(record)} for record in records]


def _row(record: TrainingRecord) -> dict[str, Any]:
    fitness = None if record.fitness is None else float(record.fitness)
    if record.status not in OUTCOMES or (fitness is None) != (record.status != "ok"):
        raise InvalidRecord(f"expected a fitness with the status ok alone, got {fitness} with {record.status!r:.40}")
    if (fitness is not None and not math.isfinite(fitness)) or not math.isfinite(record.seconds):
        raise InvalidRecord(f"expected finite numbers, got fitness {fitness} and {record.seconds} seconds")
    return {
        "seed": to_rows.checked_integer(record.seed, "the seed of a training"),
        "digest": to_rows.digest(_KIND, record.text),
        "text": to_rows.checked_text(record.text, "the text of a training"),
        "status": record.status,
        "fitness": fitness,
        "measures": exact_json.dump_floats(record.measures),
        "seconds": float(record.seconds) + 0.0,
        "error": None if record.error is None else to_rows.storable(record.error),
    }


def add(connection: Connection, new: Sequence[dict[str, Any]]) -> None:
    """Adds rows; those that are there already stay as they are."""
    connection.execute(insert_into(connection, training).on_conflict_do_nothing(), list(new))


def find(
    connection: Connection, task: str, version: str, rung: int, keys: Sequence[tuple[str, int]]
) -> dict[tuple[str, int], TrainingRecord]:
    """The records of those keys, texts and seeds, that have one."""
    wanted = set(keys)
    digests = sorted({to_rows.digest(_KIND, text) for text, _ in wanted})
    columns = from_rows.columns_of(TrainingRecord, training)
    found: dict[tuple[str, int], TrainingRecord] = {}
    for first in range(0, len(digests), _CHUNK):
        query = select(*columns).where(
            training.c.digest.in_(digests[first : first + _CHUNK]),
            training.c.task == task,
            training.c.version == version,
            training.c.rung == rung,
        )
        for values in from_rows.fetch(connection.execute(query)):
            record = from_rows.training_record(values)
            if (record.text, record.seed) in wanted:
                found[record.text, record.seed] = record
    return found
