"""Questions about the individuals of one run: who they are, how they scored, where they come from.

Every function takes a connection inside a transaction. "Scored" joins an individual with its outcome: the evaluation
of its fingerprint on the run's own task at rung 0, seed 0, which for a cache hit was done for an earlier birth.

Rows are fetched to the last before records are made of them: one that no longer reads must leave no question half
answered, which would keep the connection in its transaction.
"""

from collections import defaultdict
from dataclasses import fields
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, exists, func, literal, or_, select

from germline.db.errors import unreadable
from germline.db.from_rows import birth_score, evaluation_record, individual_record, review_score, run_record
from germline.db.records import (
    BirthScore,
    EvaluationRecord,
    IndividualRecord,
    ReviewScore,
    RunScores,
    ScoredIndividual,
)
from germline.db.rounds import REVIEW, complete
from germline.db.schema import evaluation, genome, individual, parentage, rejection

EVALUATION_COLUMNS = [evaluation.c[field.name] for field in fields(EvaluationRecord)]
_INDIVIDUAL_COLUMNS = (
    individual.c.birth,
    individual.c.block,
    individual.c.operator,
    genome.c.text,
    individual.c.fingerprint,
    individual.c.cached_from,
    func.coalesce(rejection.c.genomes, 0),
)
"""What an ``IndividualRecord`` holds beside its parents, in its order."""
_REJECTED = and_(rejection.c.run_id == individual.c.run_id, rejection.c.birth == individual.c.birth)


def births(connection: Connection, run_id: int) -> int:
    """How many individuals the run has."""
    count = select(func.count()).select_from(individual).where(individual.c.run_id == run_id)
    return int(connection.scalar(count) or 0)


def one(connection: Connection, run: Row[Any], birth: int) -> ScoredIndividual | None:
    """The individual of this birth, or None."""
    found = _scored(connection, run, select(individual.c.birth).where(_is(run.id), individual.c.birth == birth))
    return found[0] if found else None


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
    found = _scored(connection, run, select(wanted.subquery().c.birth))
    return sorted(found, key=lambda scored: ranks[scored.individual.birth])


def elite(connection: Connection, run: Row[Any], seed: int | None) -> ScoredIndividual | None:
    """The fittest of the reviews with a seed, or with the highest one; None if there are none.

    Without a seed, a round of reviews that is not complete does not count. Equal fitness: the lower birth.
    """
    wanted = [evaluation.c.rung == REVIEW]
    if seed is not None:
        wanted.append(evaluation.c.seed == seed)
    elif (under_way := _under_way(connection, run)) is not None:
        wanted.append(evaluation.c.seed != under_way)
    birth = connection.scalar(
        select(evaluation.c.birth)
        .where(
            evaluation.c.run_id == run.id,
            evaluation.c.task == run.task,
            evaluation.c.status == "ok",
            evaluation.c.fitness.is_not(None),
            *wanted,
        )
        .order_by(evaluation.c.seed.desc(), evaluation.c.fitness.desc(), evaluation.c.birth)
        .limit(1)
    )
    return None if birth is None else one(connection, run, birth)


def _under_way(connection: Connection, run: Row[Any]) -> int | None:
    """The seed of the round of reviews that is not complete, which only the last one can be; None if it is.

    Only what tells is read: a run may have a hundred thousand births.
    """
    rounds = select(func.max(evaluation.c.seed)).where(
        evaluation.c.run_id == run.id, evaluation.c.task == run.task, evaluation.c.rung == REVIEW
    )
    last = connection.scalar(rounds)
    if not last:
        return None
    before = connection.scalar(rounds.where(evaluation.c.seed < last, evaluation.c.fitness.is_not(None)))
    reviews = review_scores(connection, run, evaluation.c.seed >= (before or last))
    births = birth_scores(
        connection,
        run,
        "",
        or_(
            individual.c.block == last - 1,
            individual.c.birth.in_({review.birth for review in reviews}),
            individual.c.birth == select(func.max(individual.c.birth)).where(_is(run.id)).scalar_subquery(),
        ),
    )
    return None if complete(RunScores(run_record(run), tuple(births), tuple(reviews)), last) else last


def block(connection: Connection, run: Row[Any], number: int | None) -> list[ScoredIndividual]:
    """The individuals of a block, in order of birth; None: of the last one in which all have an outcome."""
    if number is None:
        waiting = select(func.min(individual.c.block)).where(_is(run.id), ~exists().where(_outcome_of(run)))
        first = connection.scalar(waiting)
        last = connection.scalar(select(func.max(individual.c.block)).where(_is(run.id)))
        number = (-1 if last is None else last) if first is None else first - 1
    return _scored(connection, run, select(individual.c.birth).where(_is(run.id), individual.c.block == number))


def ancestry(connection: Connection, run: Row[Any], birth: int) -> list[ScoredIndividual]:
    """The individual and all its ancestors, oldest first; each once, however many ways lead to it."""
    line = select(literal(birth).label("birth")).cte("line", recursive=True)
    line = line.union(
        select(parentage.c.parent).join(line, parentage.c.birth == line.c.birth).where(parentage.c.run_id == run.id)
    )
    return _scored(connection, run, select(line.c.birth))


def page(connection: Connection, run_id: int, after: int, size: int) -> list[IndividualRecord]:
    """The next ``size`` individuals after birth ``after``, in order of birth."""
    rows = connection.execute(
        select(*_INDIVIDUAL_COLUMNS)
        .join(genome, genome.c.digest == individual.c.genome)
        .outerjoin(rejection, _REJECTED)
        .where(_is(run_id), individual.c.birth > after)
        .order_by(individual.c.birth)
        .limit(size)
    ).all()
    if not rows:
        return []
    parents = _parents(
        connection, run_id, and_(parentage.c.birth >= rows[0].birth, parentage.c.birth <= rows[-1].birth)
    )
    return [individual_record(tuple(row), parents) for row in rows]


def birth_scores(connection: Connection, run: Row[Any], measure: str, *wanted: ColumnElement[bool]) -> list[BirthScore]:
    """The wanted births, or all, in their order, without their genomes; of the measures of their outcomes one."""
    columns = (individual.c.birth, individual.c.block, individual.c.cached_from)
    found = connection.execute(
        select(*columns, evaluation.c.id, evaluation.c.fitness, evaluation.c.measures)
        .outerjoin(evaluation, _outcome_of(run))
        .where(_is(run.id), *wanted)
        .order_by(individual.c.birth)
    ).all()
    return [birth_score(tuple(row), measure, run.kind) for row in found]


def review_scores(connection: Connection, run: Row[Any], *wanted: ColumnElement[bool]) -> list[ReviewScore]:
    """The wanted reviews on the run's own task, or all, in the order in which they were recorded."""
    columns = (evaluation.c.birth, evaluation.c.rung, evaluation.c.seed, evaluation.c.id)
    found = connection.execute(
        select(*columns, evaluation.c.fitness, evaluation.c.measures)
        .where(
            evaluation.c.run_id == run.id,
            evaluation.c.task == run.task,
            or_(evaluation.c.rung != 0, evaluation.c.seed != 0),
            *wanted,
        )
        .order_by(evaluation.c.id)
    ).all()
    return [review_score(tuple(row), run.kind) for row in found]


def without_outcome(connection: Connection, run: Row[Any]) -> list[int]:
    """The births whose fingerprint has no evaluation on the run's task at rung 0, seed 0."""
    outcome = exists().where(_outcome_of(run))
    return list(connection.scalars(select(individual.c.birth).where(_is(run.id), ~outcome).order_by("birth")))


def _scored(connection: Connection, run: Row[Any], wanted: Select[Any]) -> list[ScoredIndividual]:
    """The individuals whose birth the one-column query ``wanted`` gives, in order of birth."""
    rows = connection.execute(
        select(*_INDIVIDUAL_COLUMNS, evaluation.c.id, *EVALUATION_COLUMNS)
        .join(genome, genome.c.digest == individual.c.genome)
        .outerjoin(rejection, _REJECTED)
        .outerjoin(evaluation, _outcome_of(run))
        .where(_is(run.id), individual.c.birth.in_(wanted))
        .order_by(individual.c.birth)
    ).all()
    parents = _parents(connection, run.id, parentage.c.birth.in_(wanted))
    return [
        ScoredIndividual(
            run.name,
            individual_record(tuple(row[:7]), parents),
            None if row[7] is None else evaluation_record(tuple(row[8:]), run.kind),
        )
        for row in rows
    ]


def _parents(connection: Connection, run_id: int, which: ColumnElement[bool]) -> dict[int, tuple[int, ...]]:
    found: defaultdict[int, list[int]] = defaultdict(list)
    rows = connection.execute(
        select(parentage.c.birth, parentage.c.parent)
        .where(parentage.c.run_id == run_id, which)
        .order_by(parentage.c.birth, parentage.c.position)
    ).all()
    for birth, parent in rows:
        if type(parent) is not int:
            raise unreadable(f"birth {birth!r}", f"expected a parent of type int, got {parent!r:.40}")
        found[birth].append(parent)
    return {birth: tuple(parents) for birth, parents in found.items()}


def _is(run_id: int) -> ColumnElement[bool]:
    return individual.c.run_id == run_id


def _outcome_of(run: Row[Any]) -> ColumnElement[bool]:
    return and_(
        evaluation.c.run_id == run.id,
        evaluation.c.fingerprint == individual.c.fingerprint,
        evaluation.c.task == run.task,
        evaluation.c.rung == 0,
        evaluation.c.seed == 0,
    )
