"""Checks the invariants of a database of runs (`germline db check`), which must hold after any crash.

A rule is a function whose docstring says what must hold, and which returns a line for each breach. Rules for the
database as a whole are in `database.py` and `genomes.py`, rules for a run in `value_types.py`, `texts.py`, `births.py`
and `outcomes.py`.
"""

from collections.abc import Callable
from typing import Any, Final

from sqlalchemy import Connection, Row, select

from germline.db.check import births, database, genomes, outcomes, texts, value_types
from germline.db.errors import DamagedDatabase
from germline.db.schema import run

RULES: Final[tuple[Callable[[Connection, Row[Any]], list[str]], ...]] = (
    value_types.value_types,
    texts.settings,
    births.birth_numbers,
    births.parents,
    births.cache_hits,
    outcomes.evaluations,
    outcomes.winners,
    outcomes.snapshots,
    texts.simplifications,
    texts.verdicts,
    births.proposals,
    outcomes.missing_outcomes,
    outcomes.best,
)
"""The rules for a run, in the order in which they are applied; a rule gets the row of the run. Damage that makes a rule
fail is named by an earlier one."""


def problems(connection: Connection) -> list[str]:
    """A line for each broken invariant; empty if the database is sound.

    Raises:
        sqlalchemy.exc.DBAPIError: a query fails because of the damage.
    """
    altered = database.schema_differences(connection)
    lines = [f"altered schema: {difference}" for difference in altered]
    lines += database.file_problems(connection, bool(altered)) + genomes.genome_problems(connection)
    lines += database.training_problems(connection) + database.answer_problems(connection)
    for row in connection.execute(select(run).order_by(run.c.id)).all():
        lines += [f"run {row.name}: {problem}" for problem in _run_problems(connection, row)]
    return lines


def _run_problems(connection: Connection, row: Row[Any]) -> list[str]:
    """The problems of a run. The error of a rule that fails on damaged rows is reported only if no earlier rule has
    reported the damage."""
    lines: list[str] = []
    for rule in RULES:
        try:
            lines += rule(connection, row)
        except (TypeError, AttributeError, ValueError, LookupError, DamagedDatabase) as error:
            lines = lines or [str(error)]
    return lines
