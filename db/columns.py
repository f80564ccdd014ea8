"""The births and evaluations of a run as columns, for pictures of very many births: no genomes, no measures.

Rows are plain tuples, because a record for each of a million rows would take seconds. Recorded rows never change, so a
reader that keeps what it has read asks only for what came later.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import Column, ColumnElement, Connection, Row, Select, and_, func, select
from sqlalchemy.exc import DBAPIError

from germline.db import exact_json
from germline.db.errors import unreadable_row
from germline.db.lineage import FITNESS
from germline.db.schema import evaluation, individual, parentage, run, winner

FAILING: Final = ("crashed", "diverged", "oom", "rejected", "timeout")
"""The statuses of failures."""

_INTEGER, _TEXT = frozenset((int,)), frozenset((str,))
_NUMBER = frozenset((float, int))
_NONE = frozenset((type(None),))


BirthRow = tuple[int, str, int | None, int | None]
"""A birth: its number, operator, the birth whose outcome it shares, and its first parent; None without."""

EvaluationRow = tuple[int, int, int, int, int, str, float | None, float, str, str]
"""An evaluation: its id, which grows in the order of recording, its birth, whether it is on the run's own task, rung,
seed, status, fitness, seconds, worker, and when it was recorded (UTC, ISO 8601)."""

ScoreRow = tuple[int, int, float]
"""An ok outcome: the id of the evaluation, its birth and its fitness."""

ParentRow = tuple[int, int]
"""A birth and its first parent."""

FailureRow = tuple[int, str]
"""A birth whose outcome is a failure, and the status."""

HitRow = tuple[int, int]
"""A cache hit: its birth, and the birth whose outcome it shares."""


class FailureCount(NamedTuple):
    """How often (`times`) an error occurred with a status, and the first and the last birth that it befell. `error` is
    None without a text."""

    status: str
    error: str | None
    times: int
    birth: int
    last: int


class LastRecorded(NamedTuple):
    """What was recorded of a run at last.

    Attributes:
        birth: the number of the last birth; -1 if there is none.
        evaluation: the id of the last evaluation; 0 if there is none.
        winner: block, whether it is the closing winner, and the birth (None: no outcome was ok) of the latest winner;
            None if there is none. A block of cache hits alone adds a winner without an evaluation.
    """

    birth: int
    evaluation: int
    winner: tuple[int, bool, int | None] | None


_BIRTH_TYPES: Final = (_INTEGER, _TEXT, _INTEGER | _NONE, _INTEGER | _NONE)
_EVALUATION_TYPES: Final = (
    *(_INTEGER, _INTEGER, frozenset((int, bool)), _INTEGER, _INTEGER, _TEXT, _NUMBER | _NONE, _NUMBER, _TEXT, _TEXT),
)
_SCORE_TYPES: Final = (_INTEGER, _INTEGER, _NUMBER)
_PAIR_TYPES: Final = (_INTEGER, _INTEGER)
_FAILURE_TYPES: Final = (_TEXT, _TEXT | _NONE, _INTEGER, _INTEGER, _INTEGER)


def births(connection: Connection, run: Row[Any], first: int) -> list[BirthRow]:
    """The births of a run from `first` on, in their order."""
    first_parent = and_(
        parentage.c.run_id == individual.c.run_id, parentage.c.birth == individual.c.birth, parentage.c.position == 0
    )
    columns = individual.c
    query = (
        select(columns.birth, columns.operator, columns.cached_from, parentage.c.parent)
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


def parents(connection: Connection, run: Row[Any]) -> list[ParentRow]:
    """The first parent of each birth that has one, in the order of births."""
    columns = parentage.c
    query = (
        select(columns.birth, columns.parent)
        .where(columns.run_id == run.id, columns.position == 0)
        .order_by(columns.birth)
    )
    return _checked(connection, query, _PAIR_TYPES, "a parent")


def hits(connection: Connection, run: Row[Any]) -> list[HitRow]:
    """The cache hits of a run, in the order of births."""
    columns = individual.c
    query = (
        select(columns.birth, columns.cached_from)
        .where(columns.run_id == run.id, columns.cached_from.is_not(None))
        .order_by(columns.birth)
    )
    return _checked(connection, query, _PAIR_TYPES, "a cache hit")


def children(connection: Connection, run: Row[Any], birth: int) -> list[int]:
    """The births of which `birth` is a parent, the first or another, in their order."""
    columns = parentage.c
    query = select(columns.birth).distinct().where(columns.run_id == run.id, columns.parent == birth)
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


def failed(connection: Connection, run: Row[Any]) -> list[FailureRow]:
    """The births of a run whose own outcome is a failure, in any order."""
    columns = evaluation.c
    query = select(columns.birth, columns.status).where(
        *(columns.run_id == run.id, columns.task == run.task, columns.status.in_(FAILING)),
        *(columns.rung == 0, columns.seed == 0),
    )
    return _checked(connection, query, (_INTEGER, _TEXT), "a failure")


def starts(connection: Connection) -> dict[str, float]:
    """The fitness of the first birth of each run in which its outcome is ok, by the name of the run."""
    columns = evaluation.c
    query = (
        select(run.c.name, FITNESS)
        .join(evaluation, columns.run_id == run.c.id)
        .where(columns.birth == 0, columns.task == run.c.task, columns.status == "ok")
        .where(columns.rung == 0, columns.seed == 0, columns.fitness.is_not(None))
    )
    return dict(_checked(connection, query, (_TEXT, _NUMBER), "an outcome"))


def last(connection: Connection, run: Row[Any]) -> LastRecorded:
    """What was recorded of a run at last, which tells in a moment whether anything was recorded since."""
    birth = _highest(connection, individual.c.birth, individual.c.run_id == run.id, "a birth")
    recorded = _highest(connection, evaluation.c.id, evaluation.c.run_id == run.id, "an evaluation")
    columns = winner.c
    query = (
        select(columns.block, columns.closing, columns.birth)
        .where(columns.run_id == run.id)
        .order_by(columns.block.desc(), columns.closing.desc())
        .limit(1)
    )
    rows = _checked(connection, query, (_INTEGER, frozenset((int, bool)), _INTEGER | _NONE), "a winner")
    won = next(((block, bool(closing), champion) for block, closing, champion in rows), None)
    return LastRecorded(-1 if birth is None else birth, recorded or 0, won)


def _highest(connection: Connection, column: Column[int], own: ColumnElement[bool], what: str) -> int | None:
    """The highest value of a column in the rows of a run; None without any."""
    [(value,)] = _checked(connection, select(func.max(column)).where(own), (_INTEGER | _NONE,), what)
    return None if value is None else int(value)


def _checked(connection: Connection, query: Select[Any], types: Sequence[frozenset[type]], what: str) -> list[Any]:
    """The rows of a query as plain tuples, if the types of their columns are those that Germline writes.

    The driver's cursor is read, because an object of SQLAlchemy for each row would take three times as long.

    Raises:
        DamagedDatabase: a value has another type.
        DBAPIError: the driver's error, as SQLAlchemy's own rows raise it.
    """
    result = connection.execute(query)
    driver = connection.dialect.loaded_dbapi
    assert result.cursor is not None
    try:
        rows = list(result.cursor.fetchall())
    except driver.Error as error:
        raise DBAPIError.instance(str(query), None, error, driver.Error) from error
    finally:
        result.close()
    for place, (column, allowed) in enumerate(zip(zip(*rows, strict=True), types, strict=False)):
        other = set(map(type, column)) - allowed
        if other:
            names = ", ".join(sorted(each.__name__ for each in other))
            raise unreadable_row(what, f"column {place} holds {names}")
    return rows
