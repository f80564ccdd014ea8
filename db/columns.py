"""The births and evaluations of a run as columns, for pictures of very many births: no genomes, no measures.

Rows are plain tuples, because a record for each of a million rows would take seconds. Recorded rows never change, so a
reader that keeps what it has read asks only for what came later.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Row, Select, and_, func, select

from germline.db import exact_json
from germline.db.errors import unreadable_row
from germline.db.lineage import FITNESS
from germline.db.schema import evaluation, individual, parentage, rejection

FAILING: Final = ("crashed", "diverged", "oom", "rejected", "timeout")
"""The statuses of failures."""

_INTEGER, _TEXT = frozenset((int,)), frozenset((str,))
_NUMBER = frozenset((float, int))
_NONE = frozenset((type(None),))


BirthRow = tuple[int, int, str, int | None, int | None]
"""A birth: its number, block, operator, the birth whose outcome it shares, and its first parent; None without."""

EvaluationRow = tuple[int, int, int, int, int, str, float | None, float, str, str]
"""An evaluation: its id, which grows in the order of recording, its birth, whether it is on the run's own task, rung,
seed, status, fitness, seconds, worker, and when it was recorded (UTC, ISO 8601)."""

ScoreRow = tuple[int, int, float]
"""An ok outcome: the id of the evaluation, its birth and its fitness."""

ParentRow = tuple[int, int]
"""A birth and its first parent."""


class FailureCount(NamedTuple):
    """How often (`times`) an error occurred with a status, and the first and the last birth that it befell. `error` is
    None without a text."""

    status: str
    error: str | None
    times: int
    birth: int
    last: int


_BIRTH_TYPES: Final = (_INTEGER, _INTEGER, _TEXT, _INTEGER | _NONE, _INTEGER | _NONE)
_EVALUATION_TYPES: Final = (
    *(_INTEGER, _INTEGER, frozenset((int, bool)), _INTEGER, _INTEGER, _TEXT, _NUMBER | _NONE, _NUMBER, _TEXT, _TEXT),
)
_SCORE_TYPES: Final = (_INTEGER, _INTEGER, _NUMBER)
_PARENT_TYPES: Final = (_INTEGER, _INTEGER)
_FAILURE_TYPES: Final = (_TEXT, _TEXT | _NONE, _INTEGER, _INTEGER, _INTEGER)


def births(connection: Connection, run: Row[Any], first: int) -> list[BirthRow]:
    """The births of a run from `first` on, in their order."""
    first_parent = and_(
        parentage.c.run_id == individual.c.run_id, parentage.c.birth == individual.c.birth, parentage.c.position == 0
    )
    columns = individual.c
    query = (
        select(columns.birth, columns.block, columns.operator, columns.cached_from, parentage.c.parent)
        .outerjoin(parentage, first_parent)
        .where(columns.run_id == run.id, columns.birth >= first)
        .order_by(columns.birth)
    )
    return _checked(connection, query, _BIRTH_TYPES, "a birth")


def evaluations(connection: Connection, run: Row[Any], after: int) -> list[EvaluationRow]:
    """The evaluations of a run with an id above `after`, in the order of recording."""
    columns = evaluation.c
    query = (
        select(
            *(columns.id, columns.birth, columns.task == run.task, columns.rung, columns.seed, columns.status),
            *(FITNESS, columns.seconds, columns.worker, columns.created),
        )
        .where(columns.run_id == run.id, columns.id > after)
        .order_by(columns.id)
    )
    return _checked(connection, query, _EVALUATION_TYPES, "an evaluation")


def scores(connection: Connection, run: Row[Any], after: int) -> list[ScoreRow]:
    """The ok outcomes of a run with an id above `after`, in any order. An index has all that is read, so this is much
    faster than `evaluations`."""
    columns = evaluation.c
    query = select(columns.id, columns.birth, columns.fitness).where(
        *(columns.run_id == run.id, columns.task == run.task, columns.status == "ok", columns.rung == 0),
        *(columns.seed == 0, columns.fitness.is_not(None)),
    )
    if after:
        query = query.where(columns.id > after)
    return _checked(connection, query, _SCORE_TYPES, "an outcome")


def parents(connection: Connection, run: Row[Any], first: int) -> list[ParentRow]:
    """The first parent of each birth from `first` on that has one, in the order of births."""
    columns = parentage.c
    query = (
        select(columns.birth, columns.parent)
        .where(columns.run_id == run.id, columns.birth >= first, columns.position == 0)
        .order_by(columns.birth)
    )
    return _checked(connection, query, _PARENT_TYPES, "a parent")


def children(connection: Connection, run: Row[Any], birth: int) -> list[int]:
    """The births whose first parent is `birth`, in their order."""
    columns = parentage.c
    query = select(columns.birth).where(columns.run_id == run.id, columns.parent == birth, columns.position == 0)
    return [row[0] for row in _checked(connection, query.order_by(columns.birth), (_INTEGER,), "a child")]


def objectives(connection: Connection, run: Row[Any]) -> list[tuple[int, Mapping[str, float]]]:
    """The objectives of each ok outcome of a run, with its birth."""
    columns = evaluation.c
    query = select(columns.birth, columns.objectives).where(
        *(columns.run_id == run.id, columns.task == run.task, columns.status == "ok", columns.rung == 0),
        columns.seed == 0,
    )
    rows = _checked(connection, query, (_INTEGER, _TEXT), "an outcome")
    try:
        return [(birth, exact_json.load_floats(text)) for birth, text in rows]
    except ValueError as error:
        raise unreadable_row("an outcome", error) from error


def failures(connection: Connection, run: Row[Any]) -> list[FailureCount]:
    """The errors of failures on the run's own task, the most frequent first."""
    columns = evaluation.c
    count = func.count()
    query = (
        select(columns.status, columns.error, count, func.min(columns.birth), func.max(columns.birth))
        .where(columns.run_id == run.id, columns.task == run.task, columns.status.in_(FAILING))
        .group_by(columns.status, columns.error)
        .order_by(count.desc(), func.min(columns.birth))
    )
    rows = _checked(connection, query, _FAILURE_TYPES, "a failure")
    return [FailureCount._make(row) for row in rows]


def rejected(connection: Connection, run: Row[Any]) -> int:
    """The number of genomes that the space refused before they were born."""
    total = select(func.coalesce(func.sum(rejection.c.genomes), 0)).where(rejection.c.run_id == run.id)
    return int(connection.scalar(total) or 0)


def last(connection: Connection, run: Row[Any]) -> tuple[int, int]:
    """The number of the last birth, -1 if there is none, and the id of the last evaluation, 0 if there is none: they
    tell in a moment whether anything was recorded since."""
    birth = connection.scalar(select(func.max(individual.c.birth)).where(individual.c.run_id == run.id))
    recorded = connection.scalar(select(func.max(evaluation.c.id)).where(evaluation.c.run_id == run.id))
    return -1 if birth is None else int(birth), int(recorded or 0)


def _checked(connection: Connection, query: Select[Any], types: Sequence[frozenset[type]], what: str) -> list[Any]:
    """The rows of a query as plain tuples, if the types of their columns are those that Germline writes.

    The driver's cursor is read, because an object of SQLAlchemy for each row would take three times as long.

    Raises:
        DamagedDatabase: a value has another type.
    """
    result = connection.execute(query)
    assert result.cursor is not None
    rows = list(result.cursor.fetchall())
    result.close()
    for place, (column, allowed) in enumerate(zip(zip(*rows, strict=True), types, strict=False)):
        other = set(map(type, column)) - allowed
        if other:
            names = ", ".join(sorted(each.__name__ for each in other))
            raise unreadable_row(what, f"column {place} holds {names}")
    return rows
