"""Checks the invariants of a database of runs (`germline db check`), which must hold after any crash."""

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Float,
    Row,
    Select,
    Table,
    Text,
    and_,
    case,
    exists,
    func,
    or_,
    select,
    text,
    true,
)

from germline.db import exact_json, file_schema, lineage, proposals
from germline.db.errors import DamagedDatabase
from germline.db.from_rows import read_config, read_measures
from germline.db.records import PARENTLESS
from germline.db.revisions import VERSION_TABLE
from germline.db.schema import (
    answer,
    artifact,
    control,
    evaluation,
    genome,
    individual,
    metadata,
    parentage,
    proposal,
    rejection,
    run,
    simplified,
    snapshot,
    training,
    verdict,
    winner,
)
from germline.db.server_schema import server_differences
from germline.db.to_rows import digest

_MAX_LISTED = 5


def problems(connection: Connection) -> list[str]:
    """A line for each broken invariant; empty if the database is sound.

    Raises:
        sqlalchemy.exc.DBAPIError: a query fails because of the damage.
    """
    altered = _schema_differences(connection)
    lines = [f"altered schema: {difference}" for difference in altered]
    lines += _file_problems(connection, bool(altered)) + _genome_problems(connection)
    lines += _training_problems(connection) + _answer_problems(connection)
    for row in connection.execute(select(run).order_by(run.c.id)).all():
        lines += [f"run {row.name}: {problem}" for problem in _run_problems(connection, row)]
    return lines


def _run_problems(connection: Connection, row: Row[Any]) -> list[str]:
    """The problems of a run.

    A rule may fail on damaged rows. Its error is reported only if no earlier rule has reported the damage.
    """
    lines: list[str] = []
    for rule in _RULES:
        try:
            lines += rule(connection, row)
        except (TypeError, AttributeError, ValueError, LookupError, DamagedDatabase) as error:
            lines = lines or [str(error)]
    return lines


def _schema_differences(connection: Connection) -> Sequence[str]:
    """A phrase for each object of the database that is not Germline's, or not as Germline creates it."""
    if connection.dialect.name != "sqlite":
        return server_differences(connection)
    definitions = [file_schema.Definition(*row) for row in connection.execute(text(file_schema.QUERY))]
    revision = str(connection.scalar(text(f"SELECT version_num FROM {VERSION_TABLE}")))
    return file_schema.differences(definitions, revision).all


def _file_problems(connection: Connection, altered: bool) -> list[str]:
    """SQLite's own checks of pages, indexes and foreign keys.

    They evaluate expressions of the schema. If it is altered, only Germline's tables are checked.
    """
    if connection.dialect.name != "sqlite":
        return []
    tables = [f"({name})" for name in metadata.tables]
    checks = [f"PRAGMA integrity_check{argument}" for argument in (tables if altered else [""])]
    lines = [line for check in checks for line in connection.scalars(text(check)) if line != "ok"]
    dangling = [row for table in tables for row in connection.execute(text(f"PRAGMA foreign_key_check{table}"))]
    return lines + [f"a row of {row[0]} refers to a missing row of {row[2]}" for row in dangling[:_MAX_LISTED]]


def _genome_problems(connection: Connection) -> list[str]:
    rows = connection.execute(_streamed(select(genome.c.digest, genome.c.kind, genome.c.text)))
    changed = [key for key, *parts in rows if None in parts or digest(*map(str, parts)) != key]
    return [f"genome {key}: its text does not match its digest" for key in changed[:_MAX_LISTED]] + [
        f"genome {key}: a value of the wrong type in {column}"
        for column, keys in _wrong_types(connection, genome, genome.c.digest, true())
        for key in keys[:_MAX_LISTED]
    ]


def _training_problems(connection: Connection) -> list[str]:
    columns = select(training.c.id, training.c.digest, training.c.text, training.c.measures)
    lines = []
    for key, hashed, content, measures in connection.execute(_streamed(columns)):
        if content is None or digest("training", str(content)) != hashed:
            lines.append(f"training {key}: its text does not match its digest")
        elif not _is_readable(exact_json.load_floats, measures):
            lines.append(f"training {key}: measures that cannot be read")
    return lines[:_MAX_LISTED] + [
        f"training {key}: a value of the wrong type in {column}"
        for column, keys in _wrong_types(connection, training, training.c.id, true())
        for key in keys[:_MAX_LISTED]
    ]


def _answer_problems(connection: Connection) -> list[str]:
    lines = [
        f"answer {key}: its text does not match its digest"
        for key, *values in connection.execute(_streamed(select(*answer.columns)))
        if None in values or proposals.digest(*values) != key
    ]
    return lines[:_MAX_LISTED] + [
        f"answer {key}: a value of the wrong type in {column}"
        for column, keys in _wrong_types(connection, answer, answer.c.digest, true())
        for key in keys[:_MAX_LISTED]
    ]


def _types(connection: Connection, row: Row[Any]) -> list[str]:
    without_birth = [
        (run, run.c.id, run.c.id == row.id),
        (control, control.c.id, control.c.run_id == row.id),
        (snapshot, snapshot.c.run_id, snapshot.c.run_id == row.id),
    ]
    lines = [
        f"a value of the wrong type in {column}"
        for table, key, condition in without_birth
        for column, _ in _wrong_types(connection, table, key, condition)
    ]
    for table in (individual, parentage, rejection, evaluation, winner, artifact, simplified, verdict, proposal):
        for column, births in _wrong_types(connection, table, table.c.birth, table.c.run_id == row.id):
            lines += _births_line(births, f"a value of the wrong type in {column}")
    return lines


def _wrong_types(
    connection: Connection, table: Table, key: Column[Any], condition: ColumnElement[bool]
) -> list[tuple[str, list[Any]]]:
    """The columns with a value of a wrong type in a row that meets the condition, each with the keys of such rows.

    Only SQLite stores values of a wrong type.
    """
    if connection.dialect.name != "sqlite":
        return []
    is_wrong = [func.typeof(column).not_in(_type_names(column)) for column in table.columns]
    rows = connection.execute(select(key, *is_wrong).where(condition, or_(*is_wrong)).order_by(key)).all()
    keys_of_columns = [[row[0] for row in rows if row[index]] for index in range(1, len(is_wrong) + 1)]
    return [(str(column), keys) for column, keys in zip(table.columns, keys_of_columns, strict=True) if keys]


def _type_names(column: Column[Any]) -> list[str]:
    """SQLite's names of the types that the values of a column can have."""
    name = "real" if isinstance(column.type, Float) else "text" if isinstance(column.type, Text) else "integer"
    return [name, "null"] if column.nullable else [name]


def _settings(connection: Connection, row: Row[Any]) -> list[str]:
    lines = [] if row.seed >= 0 else ["a seed below 0"]
    if not _is_readable(read_config, row.config):
        lines.append("a config that cannot be read")
    if not _is_readable(exact_json.load_plain, row.environment):
        lines.append("an environment that cannot be read")
    return lines


def _births(connection: Connection, row: Row[Any]) -> list[str]:
    bounds = select(func.count(), func.min(individual.c.birth), func.max(individual.c.birth))
    count, first, last = connection.execute(bounds.where(individual.c.run_id == row.id)).one()
    if count == 0 or (first == 0 and last == count - 1):
        return []
    return [f"{count} births are numbered {first} to {last}, with gaps"]


def _parents(connection: Connection, row: Row[Any]) -> list[str]:
    child, parent, link = individual.alias("child"), individual.alias("parent"), parentage.alias("link")
    joined = (
        select(child.c.birth)
        .outerjoin(link, and_(link.c.run_id == child.c.run_id, link.c.birth == child.c.birth))
        .where(child.c.run_id == row.id)
    )
    without_parents = joined.where(link.c.parent.is_(None), child.c.operator.not_in(PARENTLESS))
    seed_with_parents = joined.where(link.c.parent.is_not(None), child.c.operator == "seed")
    is_parent = and_(parent.c.run_id == link.c.run_id, parent.c.birth == link.c.parent)
    unborn_parent = joined.outerjoin(parent, is_parent).where(
        link.c.parent.is_not(None), or_(parent.c.birth.is_(None), parent.c.birth >= child.c.birth)
    )
    gap = (
        select(parentage.c.birth)
        .where(parentage.c.run_id == row.id)
        .group_by(parentage.c.birth)
        .having(func.max(parentage.c.position) != func.count() - 1)
    )
    return (
        _query_line(connection, without_parents, "no parents, though the operator needs them")
        + _query_line(connection, seed_with_parents, "parents, though the operator is 'seed'")
        + _query_line(connection, unborn_parent, "a parent that was not born before it")
        + _query_line(connection, gap, "a gap in the list of parents")
    )


def _cache_hits(connection: Connection, row: Row[Any]) -> list[str]:
    hit, source = individual.alias("hit"), individual.alias("source")
    sound = and_(
        source.c.birth < hit.c.birth, source.c.fingerprint == hit.c.fingerprint, source.c.cached_from.is_(None)
    )
    broken = (
        select(hit.c.birth)
        .outerjoin(source, and_(source.c.run_id == hit.c.run_id, source.c.birth == hit.c.cached_from))
        .where(hit.c.run_id == row.id, hit.c.cached_from.is_not(None), or_(source.c.birth.is_(None), ~sound))
    )
    return _query_line(connection, broken, "an outcome cached from a birth that is later, different or itself cached")


def _evaluations(connection: Connection, row: Row[Any]) -> list[str]:
    of_run = evaluation.c.run_id == row.id
    key = [evaluation.c[name] for name in ("fingerprint", "task", "rung", "seed")]
    repeated = select(func.min(evaluation.c.birth)).where(of_run).group_by(*key).having(func.count() > 1)
    other_fingerprint = (
        select(evaluation.c.birth)
        .outerjoin(
            individual, and_(individual.c.run_id == evaluation.c.run_id, individual.c.birth == evaluation.c.birth)
        )
        .where(of_run, or_(individual.c.birth.is_(None), individual.c.fingerprint != evaluation.c.fingerprint))
    )
    wrong_fitness = select(evaluation.c.birth).where(of_run, evaluation.c.fitness.is_not(None), _no_fitness_allowed())
    lines = (
        _query_line(connection, repeated, "an evaluation recorded twice")
        + _query_line(connection, other_fingerprint, "an evaluation of another fingerprint")
        + _query_line(connection, select(evaluation.c.birth).where(of_run, evaluation.c.rung < 0), "a rung below 0")
        + _query_line(connection, wrong_fitness, "a fitness that is not finite, or without an ok outcome")
    )
    texts = connection.execute(
        _streamed(select(evaluation.c.birth, evaluation.c.objectives, evaluation.c.measures).where(of_run))
    )
    unreadable = [
        birth
        for birth, objectives, measures in texts
        if not (_is_readable(exact_json.load_floats, objectives) and _is_readable(read_measures, measures, row.kind))
    ]
    return lines + _births_line(unreadable, "objectives or measures that cannot be read")


def _winners(connection: Connection, row: Row[Any]) -> list[str]:
    of_run, of_block = winner.c.run_id == row.id, ~winner.c.closing
    bounds = select(func.count(), func.min(winner.c.block), func.max(winner.c.block)).where(of_run, of_block)
    count, first, last = connection.execute(bounds).one()
    lines = []
    if count and (first != 0 or last != count - 1):
        lines = [f"{count} blocks with a winner are numbered {first} to {last}, with gaps"]
    # The winner of a closing may be of the next block, which the end of the budget cut short.
    latest_block = winner.c.block + case((winner.c.closing, 1), else_=0)
    before_birth = (
        select(winner.c.birth)
        .join(individual, and_(individual.c.run_id == winner.c.run_id, individual.c.birth == winner.c.birth))
        .where(of_run, individual.c.block > latest_block)
    )
    without_fitness = (
        select(winner.c.birth)
        .join(individual, and_(individual.c.run_id == winner.c.run_id, individual.c.birth == winner.c.birth))
        .outerjoin(evaluation, lineage.outcome_of(row))
        .where(of_run, evaluation.c.fitness.is_(None))
    )
    last = -1 if last is None else last
    stray_closings = select(winner.c.block).where(of_run, winner.c.closing, winner.c.block > last)
    lines += [f"a closing after block {block}, which has no winner" for block in connection.scalars(stray_closings)]
    without_outcome = lineage.without_outcome(connection, row, individual.c.block <= last) if count else []
    return (
        lines
        + _query_line(connection, before_birth, "been the winner of a block before its own")
        + _query_line(connection, without_fitness, "been the winner without a fitness")
        + _births_line(without_outcome, "no outcome, though its block has a winner")
    )


def _snapshots(connection: Connection, row: Row[Any]) -> list[str]:
    complete = exists().where(
        winner.c.run_id == snapshot.c.run_id, winner.c.block == snapshot.c.block, ~winner.c.closing
    )
    early = select(snapshot.c.block).where(snapshot.c.run_id == row.id, ~complete)
    return [f"a snapshot after block {block}, which has no winner" for block in connection.scalars(early)]


def _simplified(connection: Connection, row: Row[Any]) -> list[str]:
    rows = connection.execute(
        _streamed(select(simplified.c.birth, simplified.c.steps).where(simplified.c.run_id == row.id))
    )
    unreadable = [birth for birth, steps in rows if not _is_readable(exact_json.load_plain, steps)]
    return _births_line(unreadable, "a simplification that cannot be read")


def _verdicts(connection: Connection, row: Row[Any]) -> list[str]:
    rows = connection.execute(_streamed(select(verdict.c.birth, verdict.c.content).where(verdict.c.run_id == row.id)))
    unreadable = [birth for birth, content in rows if not _is_readable(exact_json.load_plain, content)]
    return _births_line(unreadable, "a verdict that cannot be read")


def _proposals(connection: Connection, row: Row[Any]) -> list[str]:
    of_run = proposal.c.run_id == row.id
    gap = (
        select(proposal.c.birth)
        .where(of_run)
        .group_by(proposal.c.birth)
        .having(func.max(proposal.c.position) != func.count() - 1)
    )
    child = and_(individual.c.run_id == row.id, individual.c.birth == proposal.c.birth)
    other = (
        select(proposal.c.birth)
        .join(individual, child)
        .where(of_run, proposal.c.status == "accepted", individual.c.operator != proposal.c.operator)
    )
    return _query_line(connection, gap, "a gap in the list of proposals") + _query_line(
        connection, other, "an accepted proposal, though another operator made it"
    )


def _outcomes(connection: Connection, row: Row[Any]) -> list[str]:
    if row.status != "finished":
        return []
    return _births_line(lineage.without_outcome(connection, row), "no outcome, though the run is finished")


def _best(connection: Connection, row: Row[Any]) -> list[str]:
    """Compares the best individual of a run by the query of `germline top`, which uses an index, with the best of a
    scan over all outcomes. Returns a line if they differ."""
    outcomes = select(evaluation.c.fitness, evaluation.c.birth).where(
        evaluation.c.run_id == row.id,
        evaluation.c.task == row.task,
        evaluation.c.status == "ok",
        evaluation.c.rung == 0,
        evaluation.c.seed == 0,
        evaluation.c.fitness.is_not(None),
    )
    scanned = max(connection.execute(outcomes).all(), key=lambda outcome: (outcome[0], -outcome[1]), default=None)
    top = lineage.top(connection, row, 1)
    if scanned is None or (top and top[0].individual.birth == scanned[1]):
        return []
    return [f"the best is birth {scanned[1]}, but `top` returns birth {top[0].individual.birth if top else None}"]


# The rules of a run: each returns a line for each problem.
_RULES: tuple[Callable[[Connection, Row[Any]], list[str]], ...] = (
    _types,
    _settings,
    _births,
    _parents,
    _cache_hits,
    _evaluations,
    _winners,
    _snapshots,
    _simplified,
    _verdicts,
    _proposals,
    _outcomes,
    _best,
)


def _streamed(query: Select[Any]) -> Select[Any]:
    return query.execution_options(yield_per=2000)


def _no_fitness_allowed() -> ColumnElement[bool]:
    """The condition that a row of ``evaluation`` must not have its fitness: the status is not ok, the fitness is not
    finite, or it is marked as -0.0 and not zero."""
    largest = 1.7976931348623157e308
    return or_(
        evaluation.c.status != "ok",
        ~evaluation.c.fitness.between(-largest, largest),
        and_(evaluation.c.negative_zero, evaluation.c.fitness != 0.0),
    )


def _is_readable(read: Callable[..., object], *arguments: Any) -> bool:
    try:
        read(*arguments)
    except (ValueError, TypeError):
        return False
    return True


def _query_line(connection: Connection, query: Select[Any], problem: str) -> list[str]:
    """The line of `_births_line` for the births that a query selects, in a list; an empty list if it selects none."""
    return _births_line(sorted(set(connection.scalars(query))), problem)


def _births_line(births_with_repeats: list[int], problem: str) -> list[str]:
    """A line such as ``2 births have PROBLEM: 3, 17``, in a list; an empty list without births."""
    births = list(dict.fromkeys(births_with_repeats))  # a birth can have many evaluations
    if not births:
        return []
    listed = ", ".join(str(birth) for birth in births[:_MAX_LISTED]) + (", …" if len(births) > _MAX_LISTED else "")
    return [f"{len(births)} {'birth has' if len(births) == 1 else 'births have'} {problem}: {listed}"]
