"""Queries for the individuals of a run, their outcomes, their ancestors, and the winners.

Every function takes a connection inside a transaction. The outcome of an individual is the evaluation of its
fingerprint on the run's own task at rung 0, seed 0; that of a cache hit was recorded for an earlier birth. A row that
cannot be read raises `DamagedDatabase`.

All rows of a query are fetched before records are made of them: an error in the middle of a query would leave it open
and keep the connection in its transaction.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, case, exists, func, literal, or_, select

from germline.db.errors import unreadable_row
from germline.db.from_rows import (
    birth_score,
    columns_of,
    evaluation_record,
    fetch,
    individual_record,
    review_score,
    winner_record,
)
from germline.db.genomes.reading import GenomeTexts
from germline.db.records import (
    BirthScore,
    EvaluationRecord,
    Individual,
    ReviewScore,
    ScoredIndividual,
    Winner,
)
from germline.db.schema import evaluation, individual, parentage, rejection
from germline.db.schema import winner as winner_table

FITNESS: Final = case((evaluation.c.negative_zero, literal(-0.0)), else_=evaluation.c.fitness)
"""The exact fitness of an evaluation. Queries sort by the column itself, in which SQLite stores -0.0 as 0.0."""

EVALUATION_COLUMNS: Final = columns_of(EvaluationRecord, evaluation, fitness=FITNESS)
_INDIVIDUAL_COLUMNS: Final = columns_of(Individual, individual, rejected=func.coalesce(rejection.c.genomes, 0))
_WINNER_COLUMNS: Final = columns_of(Winner, winner_table)
_BIRTH_SCORE_COLUMNS: Final = columns_of(
    BirthScore, individual, outcome_id=evaluation.c.id, fitness=FITNESS, measure=evaluation.c.measures
)
_REVIEW_SCORE_COLUMNS: Final = columns_of(ReviewScore, evaluation, evaluation_id=evaluation.c.id, fitness=FITNESS)
_REJECTED: Final = and_(rejection.c.run_id == individual.c.run_id, rejection.c.birth == individual.c.birth)


def birth_count(connection: Connection, run_id: int) -> int:
    """Number of individuals of the run."""
    count = select(func.count()).select_from(individual).where(individual.c.run_id == run_id)
    return int(connection.scalar(count) or 0)


def scored_individual(connection: Connection, run: Row[Any], birth: int) -> ScoredIndividual | None:
    """The individual of this birth with its outcome; None if the run has no such birth."""
    scored = _scored(connection, run, select(individual.c.birth).where(_in_run(run.id), individual.c.birth == birth))
    return scored[0] if scored else None


def scored_of(
    connection: Connection, run: Row[Any], births: Sequence[int], texts: GenomeTexts
) -> list[ScoredIndividual]:
    """The individuals of some births with their outcomes, in order of birth."""
    chosen = select(individual.c.birth).where(_in_run(run.id), individual.c.birth.in_(births))
    return _scored(connection, run, chosen, texts)


def top(connection: Connection, run: Row[Any], n: int | None) -> list[ScoredIndividual]:
    """The ``n`` best individuals with an ok outcome (None: all), best first, without cache hits.

    Among equals the lower birth comes first. An ok outcome without a fitness comes last.
    """
    births = (
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
    ranks = {birth: rank for rank, birth in enumerate(connection.scalars(births))}
    scored = _scored(connection, run, select(births.subquery().c.birth))
    for scored_individual in scored:
        if scored_individual.individual.birth not in ranks:
            raise unreadable_row(f"birth {scored_individual.individual.birth}", "it is in the place of another birth")
    return sorted(scored, key=lambda scored_individual: ranks[scored_individual.individual.birth])


def winner(connection: Connection, run: Row[Any]) -> ScoredIndividual | None:
    """The latest winner with its outcome; None if no winner is recorded, or no outcome was ok by then."""
    query = select(*_WINNER_COLUMNS).where(winner_table.c.run_id == run.id)
    latest = query.order_by(winner_table.c.block.desc(), winner_table.c.closing.desc()).limit(1)
    for values in fetch(connection.execute(latest)):
        birth = winner_record(values).birth
        return None if birth is None else scored_individual(connection, run, birth)
    return None


def winners(connection: Connection, run: Row[Any], first: int) -> dict[int, int | None]:
    """The recorded winners: from block ``first`` on, the number of each complete block, in order, with the birth of the
    winner after it; None if no outcome was ok by then."""
    query = select(*_WINNER_COLUMNS).where(
        winner_table.c.run_id == run.id, winner_table.c.block >= first, ~winner_table.c.closing
    )
    records = map(winner_record, fetch(connection.execute(query.order_by(winner_table.c.block))))
    return {record.block: record.birth for record in records}


def block(connection: Connection, run: Row[Any], number: int | None) -> list[ScoredIndividual]:
    """The individuals of block ``number``, in order of birth; None: of the last block up to which all births have an
    outcome. Empty if there is no such block."""
    if number is None:
        incomplete = select(func.min(individual.c.block)).where(_in_run(run.id), ~exists().where(outcome_of(run)))
        first_incomplete = connection.scalar(incomplete)
        last = connection.scalar(select(func.max(individual.c.block)).where(_in_run(run.id)))
        number = (-1 if last is None else last) if first_incomplete is None else first_incomplete - 1
    return _scored(connection, run, select(individual.c.birth).where(_in_run(run.id), individual.c.block == number))


def ancestry(connection: Connection, run: Row[Any], birth: int) -> list[ScoredIndividual]:
    """The individual and all its ancestors, each once, oldest first; empty if the run has no such birth."""
    births = select(literal(birth).label("birth")).cte("births", recursive=True)
    births = births.union(
        select(parentage.c.parent).join(births, parentage.c.birth == births.c.birth).where(parentage.c.run_id == run.id)
    )
    return _scored(connection, run, select(births.c.birth))


def page(connection: Connection, run_id: int, after: int, size: int, texts: GenomeTexts) -> Iterator[Individual]:
    """At most ``size`` individuals after birth ``after``, in order of birth. Their rows are read at once; the records,
    with the texts of their genomes, are made as they are asked for."""
    query = _individuals(run_id).where(individual.c.birth > after).order_by(individual.c.birth).limit(size)
    rows = connection.execute(query).all()
    if not rows:
        return iter(())
    on_page = and_(parentage.c.birth >= rows[0].birth, parentage.c.birth <= rows[-1].birth)
    return _records(connection, rows, _parents(connection, run_id, on_page), texts)


def of_births(connection: Connection, run_id: int, births: Sequence[int], texts: GenomeTexts) -> Iterator[Individual]:
    """The same of some births, in any order; a birth that is not recorded is left out."""
    rows = connection.execute(_individuals(run_id).where(individual.c.birth.in_(births))).all()
    return _records(connection, rows, _parents(connection, run_id, parentage.c.birth.in_(births)), texts)


def _records(
    connection: Connection, rows: Sequence[Row[Any]], parents: Mapping[int, tuple[int, ...]], texts: GenomeTexts
) -> Iterator[Individual]:
    texts.load(connection, [row.genome for row in rows])
    return (individual_record(list(row), texts, parents) for row in rows)


def birth_scores(connection: Connection, run: Row[Any], measure: str) -> list[BirthScore]:
    """The scores of all births, in their order, with the measure of this name."""
    query = (
        select(*_BIRTH_SCORE_COLUMNS)
        .outerjoin(evaluation, outcome_of(run))
        .where(_in_run(run.id))
        .order_by(individual.c.birth)
    )
    return [birth_score(row, measure, run.kind) for row in fetch(connection.execute(query))]


def review_scores(connection: Connection, run: Row[Any]) -> list[ReviewScore]:
    """All reviews on the run's own task, in the order of recording."""
    query = (
        select(*_REVIEW_SCORE_COLUMNS)
        .where(
            evaluation.c.run_id == run.id,
            evaluation.c.task == run.task,
            or_(evaluation.c.rung != 0, evaluation.c.seed != 0),
        )
        .order_by(evaluation.c.id)
    )
    return [review_score(row, run.kind) for row in fetch(connection.execute(query))]


def without_outcome(connection: Connection, run: Row[Any], *conditions: ColumnElement[bool]) -> list[int]:
    """The births without an outcome that meet all conditions, in their order."""
    query = select(individual.c.birth).where(_in_run(run.id), ~exists().where(outcome_of(run)), *conditions)
    return list(connection.scalars(query.order_by("birth")))


def _individuals(run_id: int) -> Select[Any]:
    return select(*_INDIVIDUAL_COLUMNS).outerjoin(rejection, _REJECTED).where(_in_run(run_id))


def _scored(
    connection: Connection, run: Row[Any], births: Select[Any], texts: GenomeTexts | None = None
) -> list[ScoredIndividual]:
    """The individuals of the births that the query ``births`` selects, with their outcomes, in order of birth."""
    query = (
        select(evaluation.c.id, *_INDIVIDUAL_COLUMNS, *EVALUATION_COLUMNS)
        .outerjoin(rejection, _REJECTED)
        .outerjoin(evaluation, outcome_of(run))
        .where(_in_run(run.id), individual.c.birth.in_(births))
        .order_by(individual.c.birth)
    )
    rows = connection.execute(query).all()
    parents = _parents(connection, run.id, parentage.c.birth.in_(births))
    texts = texts or GenomeTexts(kept=True)
    texts.load(connection, [row.genome for row in rows])
    width = len(_INDIVIDUAL_COLUMNS)
    scored = []
    for outcome_id, *values in rows:
        record = individual_record(values[:width], texts, parents)
        outcome = None if outcome_id is None else evaluation_record(values[width:], run.kind)
        scored.append(ScoredIndividual(run.name, record, outcome))
    return scored


def _parents(connection: Connection, run_id: int, condition: ColumnElement[bool]) -> dict[int, tuple[int, ...]]:
    """The parents of each birth that has parents and whose rows of ``parentage`` meet the condition."""
    parents_of: defaultdict[int, list[int]] = defaultdict(list)
    rows = connection.execute(
        select(parentage.c.birth, parentage.c.parent)
        .where(parentage.c.run_id == run_id, condition)
        .order_by(parentage.c.birth, parentage.c.position)
    ).all()
    for birth, parent in rows:
        if type(parent) is not int:
            raise unreadable_row(f"birth {birth!r}", f"expected a parent of type int, got {parent!r:.40}")
        parents_of[birth].append(parent)
    return {birth: tuple(parents) for birth, parents in parents_of.items()}


def _in_run(run_id: int) -> ColumnElement[bool]:
    return individual.c.run_id == run_id


def outcome_of(run: Row[Any]) -> ColumnElement[bool]:
    """The join condition of ``evaluation`` and ``individual``: the evaluation is the outcome of the individual."""
    return and_(
        evaluation.c.run_id == run.id,
        evaluation.c.fingerprint == individual.c.fingerprint,
        evaluation.c.task == run.task,
        evaluation.c.rung == 0,
        evaluation.c.seed == 0,
    )
