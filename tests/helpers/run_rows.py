"""The rows of a database that have to be equal in equal runs: everything but times, names of workers and measures."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

COLUMNS = {
    "individual": "birth, block, genome, fingerprint, operator, cached_from",
    "parentage": "birth, position, parent",
    "rejection": "birth, genomes",
    "evaluation": "birth, fingerprint, task, rung, seed, status, fitness, objectives, error, negative_zero",
    "winner": "block, closing, birth",
    "genome": "digest, kind, fingerprint, text, base, head, tail, depth",
    "proposal": "birth, position, operator, status, reason, calls, answer",
    "answer": "digest, request, model, prompt_tokens, answer_tokens, text",
}


def rows(path: Path) -> dict[str, list[Any]]:
    """The rows by table, sorted."""
    with closing(sqlite3.connect(path)) as connection:
        return {
            table: sorted(connection.execute(f"SELECT {columns} FROM {table}").fetchall(), key=repr)
            for table, columns in COLUMNS.items()
        }
