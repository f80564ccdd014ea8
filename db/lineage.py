"""Queries for the individuals of a run, their outcomes, their ancestors, and the winners.

Every function takes a connection inside a transaction. "Scored" joins an individual with its outcome: the evaluation
of its fingerprint on the run's own task at rung 0, seed 0, which for a cache hit was done for an earlier birth.

All rows of a query are fetched before records are made of them: a row that cannot be read must not leave a query half
fetched, which would keep the connection in its transaction.
"""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, exists, func, literal, or_, select

from germline.db.errors import unreadable
from germline.db.from_rows import (
    birth_score,
    by_name,
    columns_of,
    evaluation_record,
    individual_record,
    review_score,
    winner_record,
)
from germline.db.records import (
    BirthScore,
    EvaluationRecord,
    Individual,
    ReviewScore,
    ScoredIndividual,
    Winner,
)
from germline.db.schema import evaluation, genome, individual, parentage, rejection
from germline.db.schema import winner as winner_table

EVALUATION_COLUMNS: Final = columns_of(EvaluationRecord, evaluation)
_INDIVIDUAL_COLUMNS: Final = (
    individual.c.birth,
    individual.c.block,
    individual.c.operator,
    genome.c.text.label("genome"),
    individual.c.fingerprint,
    individual.c.cached_from,
    func.coalesce(rejection.c.genomes, 0).label("rejected"),
)
"""The fields of an ``Individual`` without its parents."""
_OUTCOME: Final = "outcome_"
"""Before the names of an evaluation's columns where those of an individual stand beside them."""
_REJECTED: Final = and_(rejection.c.run_id == individual.c.run_id, rejection.c.birth == individual.c.birth)


def births(connection: Connection, run_id: int) -> int:
    """How many individuals the run has."""
    count = select(func.count()).select_from(individual).where(individual.c.run_id == run_id)
    return int(connection.scalar(count) or 0)


def scored_individual(connection: Connection, run: Row[Any], birth: int) -> ScoredIndividual | None:
    """The individual of this birth, or None."""
    scored = _scored(connection, run, select(individual.c.birth).where(_in(run.id), individual.c.birth == birth))
    return scored[0] if scored else None


def top(connection: Connection, run: Row[Any], n: int | None) -> list[ScoredIndividual]:
    """The n best different fingerprints with an ok outcome, best first, each by the birth it was scored for.

    Equal fitness: the lower birth first. An ok outcome without a fitness comes last.
    """
    wanted = (
        select(evaluation.c.birth)
        .where(
            evaluation.c.run_id == run.id,
            evaluation.c.task == run.task,
            evaluation.c.status == "ok",
            evaluation.c.rung == 0,
            evaluation.c.seed == 0,
        )
        .order_by(evaluation.c.fitness.desc().nulls_last(), evaluation.c.birth)
        .limit(n)
    )
    ranks = {birth: rank for rank, birth in enumerate(connection.scalars(wanted))}
    scored = _scored(connection, run, select(wanted.subquery().c.birth))
    return sorted(scored, key=lambda each: ranks[each.individual.birth])


def winner(connection: Connection, run: Row[Any]) -> ScoredIndividual | None:
    """The latest winner; None while none is recorded."""
    query = select(*columns_of(Winner, winner_table)).where(winner_table.c.run_id == run.id)
    latest = query.order_by(winner_table.c.block.desc(), winner_table.c.closing.desc()).limit(1)
    for values in by_name(connection.execute(latest)):
        birth = winner_record(values).birth
        return None if birth is None else scored_individual(connection, run, birth)
    return None


def winners(connection: Connection, run: Row[Any]) -> dict[int, int | None]:
    """The winner's birth of each complete block, by block in order."""
    query = select(*columns_of(Winner, winner_table)).where(winner_table.c.run_id == run.id, ~winner_table.c.closing)
    records = map(winner_record, by_name(connection.execute(query.order_by(winner_table.c.block))))
    return {record.block: record.birth for record in records}


def block(connection: Connection, run: Row[Any], number: int | None) -> list[ScoredIndividual]:
    """The individuals of a block, in order of birth; None: of the last block in which all have an outcome."""
    if number is None:
        waiting = select(func.min(individual.c.block)).where(_in(run.id), ~exists().where(outcome_of(run)))
        first = connection.scalar(waiting)
        last = connection.scalar(select(func.max(individual.c.block)).where(_in(run.id)))
        number = (-1 if last is None else last) if first is None else first - 1
    return _scored(connection, run, select(individual.c.birth).where(_in(run.id), individual.c.block == number))


def ancestry(connection: Connection, run: Row[Any], birth: int) -> list[ScoredIndividual]:
    """The individual and all its ancestors, oldest first; each once, however many ways lead to it."""
    line = select(literal(birth).label("birth")).cte("line", recursive=True)
    line = line.union(
        select(parentage.c.parent).join(line, parentage.c.birth == line.c.birth).where(parentage.c.run_id == run.id)
    )
    return _scored(connection, run, select(line.c.birth))


def page(connection: Connection, run_id: int, after: int, size: int) -> list[Individual]:
    """The next ``size`` individuals after birth ``after``, in order of birth."""
    query = (
        select(*_INDIVIDUAL_COLUMNS)
        .join(genome, genome.c.digest == individual.c.genome)
        .outerjoin(rejection, _REJECTED)
        .where(_in(run_id), individual.c.birth > after)
        .order_by(individual.c.birth)
        .limit(size)
    )
    rows = by_name(connection.execute(query))
    if not rows:
        return []
    shown = and_(parentage.c.birth >= rows[0]["birth"], parentage.c.birth <= rows[-1]["birth"])
    parents = _parents(connection, run_id, shown)
    return [individual_record(row, parents) for row in rows]


def birth_scores(connection: Connection, run: Row[Any], measure: str) -> list[BirthScore]:
    """All births in their order, without genomes; of their measures only the named one."""
    query = (
        select(
            individual.c.birth,
            individual.c.block,
            individual.c.cached_from,
            evaluation.c.id.label("outcome"),
            evaluation.c.fitness,
            evaluation.c.measures,
        )
        .outerjoin(evaluation, outcome_of(run))
        .where(_in(run.id))
        .order_by(individual.c.birth)
    )
    return [birth_score(row, measure, run.kind) for row in by_name(connection.execute(query))]


def review_scores(connection: Connection, run: Row[Any]) -> list[ReviewScore]:
    """All reviews on the run's own task, in the order in which they were recorded."""
    query = (
        select(
            evaluation.c.birth,
            evaluation.c.rung,
            evaluation.c.seed,
            evaluation.c.id.label("place"),
            evaluation.c.fitness,
            evaluation.c.measures,
        )
        .where(
            evaluation.c.run_id == run.id,
            evaluation.c.task == run.task,
            or_(evaluation.c.rung != 0, evaluation.c.seed != 0),
        )
        .order_by(evaluation.c.id)
    )
    return [review_score(row, run.kind) for row in by_name(connection.execute(query))]


def without_outcome(connection: Connection, run: Row[Any], *wanted: ColumnElement[bool]) -> list[int]:
    """The births, or the wanted ones of them, that have no outcome."""
    query = select(individual.c.birth).where(_in(run.id), ~exists().where(outcome_of(run)), *wanted)
    return list(connection.scalars(query.order_by("birth")))


def _scored(connection: Connection, run: Row[Any], wanted: Select[Any]) -> list[ScoredIndividual]:
    """The individuals whose birth the one-column query ``wanted`` gives, in order of birth."""
    outcome = [column.label(_OUTCOME + column.name) for column in (evaluation.c.id, *EVALUATION_COLUMNS)]
    query = (
        select(*_INDIVIDUAL_COLUMNS, *outcome)
        .join(genome, genome.c.digest == individual.c.genome)
        .outerjoin(rejection, _REJECTED)
        .outerjoin(evaluation, outcome_of(run))
        .where(_in(run.id), individual.c.birth.in_(wanted))
        .order_by(individual.c.birth)
    )
    rows = by_name(connection.execute(query))
    parents = _parents(connection, run.id, parentage.c.birth.in_(wanted))
    return [_scored_individual(row, run, parents) for row in rows]


def _scored_individual(
    row: Mapping[str, Any], run: Row[Any], parents: Mapping[int, tuple[int, ...]]
) -> ScoredIndividual:
    born = individual_record({column.name: row[column.name] for column in _INDIVIDUAL_COLUMNS}, parents)
    if row[_OUTCOME + "id"] is None:
        return ScoredIndividual(run.name, born, None)
    values = {column.name: row[_OUTCOME + column.name] for column in EVALUATION_COLUMNS}
    return ScoredIndividual(run.name, born, evaluation_record(values, run.kind))


def _parents(connection: Connection, run_id: int, which: ColumnElement[bool]) -> dict[int, tuple[int, ...]]:
    parents_of: defaultdict[int, list[int]] = defaultdict(list)
    rows = connection.execute(
        select(parentage.c.birth, parentage.c.parent)
        .where(parentage.c.run_id == run_id, which)
        .order_by(parentage.c.birth, parentage.c.position)
    ).all()
    for birth, parent in rows:
        if type(parent) is not int:
            raise unreadable(f"birth {birth!r}", f"expected a parent of type int, got {parent!r:.40}")
        parents_of[birth].append(parent)
    return {birth: tuple(parents) for birth, parents in parents_of.items()}


def _in(run_id: int) -> ColumnElement[bool]:
    return individual.c.run_id == run_id


def outcome_of(run: Row[Any]) -> ColumnElement[bool]:
    """The condition under which an evaluation is an individual's outcome in a run."""
    return and_(
        evaluation.c.run_id == run.id,
        evaluation.c.fingerprint == individual.c.fingerprint,
        evaluation.c.task == run.task,
        evaluation.c.rung == 0,
        evaluation.c.seed == 0,
    )
