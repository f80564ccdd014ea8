"""Rules for what was measured and decided in a run: evaluations, the best, winners and snapshots."""

from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, case, exists, func, or_, select

from germline.db import exact_json, lineage
from germline.db.check.lines import births_line, is_readable, query_line, streamed
from germline.db.json_texts import read_measures
from germline.db.schema import evaluation, individual, snapshot, winner


def evaluations(connection: Connection, row: Row[Any]) -> list[str]:
    """An evaluation is readable, and recorded once, for a birth of its fingerprint; only if ok it has a fitness."""
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
        query_line(connection, repeated, "an evaluation recorded twice")
        + query_line(connection, other_fingerprint, "an evaluation of another fingerprint")
        + query_line(connection, select(evaluation.c.birth).where(of_run, evaluation.c.rung < 0), "a rung below 0")
        + query_line(connection, wrong_fitness, "a fitness that is not finite, or without an ok outcome")
    )
    texts = connection.execute(
        streamed(select(evaluation.c.birth, evaluation.c.objectives, evaluation.c.measures).where(of_run))
    )
    unreadable = [
        birth
        for birth, objectives, measures in texts
        if not (is_readable(exact_json.load_floats, objectives) and is_readable(read_measures, measures, row.kind))
    ]
    return lines + births_line(unreadable, "objectives or measures that cannot be read")


def _no_fitness_allowed() -> ColumnElement[bool]:
    """The condition that a row of ``evaluation`` must not have its fitness: the status is not ok, the fitness is not
    finite, or it is marked as -0.0 and not zero."""
    largest = 1.7976931348623157e308
    return or_(
        evaluation.c.status != "ok",
        ~evaluation.c.fitness.between(-largest, largest),
        and_(evaluation.c.negative_zero, evaluation.c.fitness != 0.0),
    )


def missing_outcomes(connection: Connection, row: Row[Any]) -> list[str]:
    """Every birth of a finished run has an outcome."""
    if row.status != "finished":
        return []
    return births_line(lineage.without_outcome(connection, row), "no outcome, though the run is finished")


def best(connection: Connection, row: Row[Any]) -> list[str]:
    """The best individual by the query of `germline top`, which uses an index, is that of a scan over all outcomes."""
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


def winners(connection: Connection, row: Row[Any]) -> list[str]:
    """Blocks with a winner are numbered without gaps, and all their births have outcomes; a closing follows such a
    block. A winner has a fitness, and was born by then."""
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
        + query_line(connection, before_birth, "been the winner of a block before its own")
        + query_line(connection, without_fitness, "been the winner without a fitness")
        + births_line(without_outcome, "no outcome, though its block has a winner")
    )


def snapshots(connection: Connection, row: Row[Any]) -> list[str]:
    """A snapshot is of a block that has a winner."""
    complete = exists().where(
        winner.c.run_id == snapshot.c.run_id, winner.c.block == snapshot.c.block, ~winner.c.closing
    )
    early = select(snapshot.c.block).where(snapshot.c.run_id == row.id, ~complete)
    return [f"a snapshot after block {block}, which has no winner" for block in connection.scalars(early)]
