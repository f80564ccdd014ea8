"""What must hold in every database of runs, after any crash: `germline db check`. Problems come back as sentences."""

from collections.abc import Callable
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
    func,
    or_,
    select,
    text,
    true,
)

from germline.db import exact_json, lineage
from germline.db.errors import DamagedDatabase
from germline.db.from_rows import read_config, read_measures
from germline.db.records import PARENTLESS
from germline.db.schema import artifact, control, evaluation, genome, individual, parentage, rejection, run, winner
from germline.db.to_rows import digest

_SHOWN = 5


def problems(connection: Connection) -> list[str]:
    """Every broken invariant, in words; [] if the database is sound.

    Raises:
        sqlalchemy.exc.DBAPIError: the database is damaged so far that the questions cannot be asked.
    """
    problems_found = _pages(connection) + _genomes(connection)
    for row in connection.execute(select(run).order_by(run.c.id)).all():
        problems_found += [f"run {row.name}: {problem}" for problem in _problems_of_run(connection, row)]
    return problems_found


def _problems_of_run(connection: Connection, row: Row[Any]) -> list[str]:
    """The problems of a run. A rule that cannot read the rows is a problem, unless an earlier rule has found one."""
    problems_found: list[str] = []
    for rule in _RULES:
        try:
            problems_found += rule(connection, row)
        except (TypeError, AttributeError, ValueError, DamagedDatabase) as error:
            problems_found = problems_found or [str(error)]
    return problems_found


def _pages(connection: Connection) -> list[str]:
    if connection.dialect.name != "sqlite":
        return []
    broken = [line for line in connection.scalars(text("PRAGMA integrity_check")) if line != "ok"]
    dangling = connection.execute(text("PRAGMA foreign_key_check")).all()
    return broken + [f"{row[0]} has a row that points to no row of {row[2]}" for row in dangling[:_SHOWN]]


def _genomes(connection: Connection) -> list[str]:
    rows = connection.execute(_streamed(select(genome.c.digest, genome.c.kind, genome.c.text)))
    wrong = [key for key, *parts in rows if None in parts or digest(*map(str, parts)) != key]
    return [f"genome {key}: its text is not the one its digest names" for key in wrong[:_SHOWN]] + [
        f"genome {key}: a value of the wrong type in {column}"
        for column, keys in _wrong_types(connection, genome, genome.c.digest, true())
        for key in keys[:_SHOWN]
    ]


def _types(connection: Connection, row: Row[Any]) -> list[str]:
    whole = [(run, run.c.id, run.c.id == row.id), (control, control.c.id, control.c.run_id == row.id)]
    found = [
        f"a value of the wrong type in {column}"
        for table, key, condition in whole
        for column, _ in _wrong_types(connection, table, key, condition)
    ]
    for table in (individual, parentage, rejection, evaluation, winner, artifact):
        for column, births in _wrong_types(connection, table, table.c.birth, table.c.run_id == row.id):
            found += _words(births, f"a value of the wrong type in {column}")
    return found


def _wrong_types(
    connection: Connection, of: Table, key: Column[Any], where: ColumnElement[bool]
) -> list[tuple[str, list[Any]]]:
    """Columns with values of another type than their own, which SQLite lets stand, and the keys of those rows."""
    if connection.dialect.name != "sqlite":
        return []
    wrong = [func.typeof(column).not_in(_type_names(column)) for column in of.columns]
    rows = connection.execute(select(key, *wrong).where(where, or_(*wrong)).order_by(key)).all()
    keys = [[row[0] for row in rows if row[place]] for place in range(1, len(wrong) + 1)]
    return [(str(column), some) for column, some in zip(of.columns, keys, strict=True) if some]


def _type_names(column: Column[Any]) -> list[str]:
    """What SQLite calls the types of the values that a column can have."""
    name = "real" if isinstance(column.type, Float) else "text" if isinstance(column.type, Text) else "integer"
    return [name, "null"] if column.nullable else [name]


def _settings(connection: Connection, row: Row[Any]) -> list[str]:
    found = [] if row.seed >= 0 else ["a seed below 0"]
    found += [] if _reads(read_config, row.config) else ["a config that does not read"]
    return found if _reads(exact_json.load_plain, row.environment) else [*found, "an environment that does not read"]


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
    orphan = joined.where(link.c.parent.is_(None), child.c.operator.not_in(PARENTLESS))
    seed = joined.where(link.c.parent.is_not(None), child.c.operator == "seed")
    unborn = joined.outerjoin(parent, and_(parent.c.run_id == link.c.run_id, parent.c.birth == link.c.parent)).where(
        link.c.parent.is_not(None), or_(parent.c.birth.is_(None), parent.c.birth >= child.c.birth)
    )
    counted = (
        select(parentage.c.birth)
        .where(parentage.c.run_id == row.id)
        .group_by(parentage.c.birth)
        .having(func.max(parentage.c.position) != func.count() - 1)
    )
    return (
        _list(connection, orphan, "no parents, though no seed")
        + _list(connection, seed, "parents, though a seed")
        + _list(connection, unborn, "a parent that was not born before it")
        + _list(connection, counted, "a gap in the list of parents")
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
    return _list(connection, broken, "an outcome cached from a birth that is later, different or itself cached")


def _evaluations(connection: Connection, row: Row[Any]) -> list[str]:
    mine = evaluation.c.run_id == row.id
    key = [evaluation.c[name] for name in ("fingerprint", "task", "rung", "seed")]
    twice = select(func.min(evaluation.c.birth)).where(mine).group_by(*key).having(func.count() > 1)
    stray = (
        select(evaluation.c.birth)
        .outerjoin(
            individual, and_(individual.c.run_id == evaluation.c.run_id, individual.c.birth == evaluation.c.birth)
        )
        .where(mine, or_(individual.c.birth.is_(None), individual.c.fingerprint != evaluation.c.fingerprint))
    )
    unfit = select(evaluation.c.birth).where(mine, evaluation.c.fitness.is_not(None), _no_fitness())
    found = (
        _list(connection, twice, "one evaluation recorded twice")
        + _list(connection, stray, "an evaluation of another fingerprint")
        + _list(connection, select(evaluation.c.birth).where(mine, evaluation.c.rung < 0), "a rung below 0")
        + _list(connection, unfit, "a fitness that is not finite, or without an ok outcome")
    )
    texts = connection.execute(
        _streamed(select(evaluation.c.birth, evaluation.c.objectives, evaluation.c.measures).where(mine))
    )
    unreadable = [
        birth
        for birth, objectives, measures in texts
        if not (_reads(exact_json.load_floats, objectives) and _reads(read_measures, measures, row.kind))
    ]
    return found + _words(unreadable, "objectives or measures that do not read")


def _winners(connection: Connection, row: Row[Any]) -> list[str]:
    mine, of_block = winner.c.run_id == row.id, ~winner.c.closing
    bounds = select(func.count(), func.min(winner.c.block), func.max(winner.c.block)).where(mine, of_block)
    count, first, last = connection.execute(bounds).one()
    problems = []
    if count and (first != 0 or last != count - 1):
        problems = [f"{count} blocks with a winner are numbered {first} to {last}, with gaps"]
    # A closing may name an individual of the block that the budget cut short, which is the next one.
    latest_block = winner.c.block + case((winner.c.closing, 1), else_=0)
    later = (
        select(winner.c.birth)
        .join(individual, and_(individual.c.run_id == winner.c.run_id, individual.c.birth == winner.c.birth))
        .where(mine, individual.c.block > latest_block)
    )
    unfit = (
        select(winner.c.birth)
        .join(individual, and_(individual.c.run_id == winner.c.run_id, individual.c.birth == winner.c.birth))
        .outerjoin(evaluation, lineage.outcome_of(row))
        .where(mine, evaluation.c.fitness.is_(None))
    )
    astray = select(winner.c.block).where(mine, winner.c.closing, winner.c.block > (-1 if last is None else last))
    problems += [f"a closing after block {block}, which has no winner" for block in connection.scalars(astray)]
    unfinished = lineage.without_outcome(connection, row, individual.c.block <= last) if count else []
    return (
        problems
        + _list(connection, later, "been the winner of a block before its own")
        + _list(connection, unfit, "been the winner without a fitness")
        + _words(unfinished, "no outcome, though its block has a winner")
    )


def _outcomes(connection: Connection, row: Row[Any]) -> list[str]:
    if row.status != "finished":
        return []
    return _words(lineage.without_outcome(connection, row), "no outcome, though the run is finished")


def _best(connection: Connection, row: Row[Any]) -> list[str]:
    """Compares the best that users get, by an index, with the best of a scan over every outcome."""
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
    return [f"the best is birth {scanned[1]}, but birth {top[0].individual.birth if top else None} is given as such"]


_RULES: tuple[Callable[[Connection, Row[Any]], list[str]], ...] = (
    _types,
    _settings,
    _births,
    _parents,
    _cache_hits,
    _evaluations,
    _winners,
    _outcomes,
    _best,
)


def _streamed(query: Select[Any]) -> Select[Any]:
    return query.execution_options(yield_per=2000)


def _no_fitness() -> ColumnElement[bool]:
    largest = 1.7976931348623157e308
    return or_(evaluation.c.status != "ok", ~evaluation.c.fitness.between(-largest, largest))


def _reads(read: Callable[..., object], *given: Any) -> bool:
    try:
        read(*given)
    except (ValueError, TypeError):
        return False
    return True


def _list(connection: Connection, query: Select[Any], what: str) -> list[str]:
    return _words(sorted(set(connection.scalars(query))), what)


def _words(births_with_repeats: list[int], what: str) -> list[str]:
    births = list(dict.fromkeys(births_with_repeats))  # a birth can have many evaluations
    if not births:
        return []
    some = ", ".join(str(birth) for birth in births[:_SHOWN]) + (", …" if len(births) > _SHOWN else "")
    return [f"{len(births)} {'birth has' if len(births) == 1 else 'births have'} {what}: {some}"]
