"""Rules for the births of a run: their numbers, parents, cache hits, and the proposals that led to them."""

from typing import Any

from sqlalchemy import Connection, Row, and_, func, or_, select

from germline.db.check.lines import query_line
from germline.db.records import PARENTLESS
from germline.db.schema import individual, parentage, proposal


def birth_numbers(connection: Connection, row: Row[Any]) -> list[str]:
    """The births of the run are numbered 0, 1, 2, … without gaps."""
    bounds = select(func.count(), func.min(individual.c.birth), func.max(individual.c.birth))
    count, first, last = connection.execute(bounds.where(individual.c.run_id == row.id)).one()
    if count == 0 or (first == 0 and last == count - 1):
        return []
    return [f"{count} births are numbered {first} to {last}, with gaps"]


def parents(connection: Connection, row: Row[Any]) -> list[str]:
    """Every birth has the parents that its operator needs, all born before it, numbered without gaps."""
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
        query_line(connection, without_parents, "no parents, though the operator needs them")
        + query_line(connection, seed_with_parents, "parents, though the operator is 'seed'")
        + query_line(connection, unborn_parent, "a parent that was not born before it")
        + query_line(connection, gap, "a gap in the list of parents")
    )


def cache_hits(connection: Connection, row: Row[Any]) -> list[str]:
    """A cache hit shares the outcome of an earlier birth of the same fingerprint that is no cache hit itself."""
    hit, source = individual.alias("hit"), individual.alias("source")
    sound = and_(
        source.c.birth < hit.c.birth, source.c.fingerprint == hit.c.fingerprint, source.c.cached_from.is_(None)
    )
    broken = (
        select(hit.c.birth)
        .outerjoin(source, and_(source.c.run_id == hit.c.run_id, source.c.birth == hit.c.cached_from))
        .where(hit.c.run_id == row.id, hit.c.cached_from.is_not(None), or_(source.c.birth.is_(None), ~sound))
    )
    return query_line(connection, broken, "an outcome cached from a birth that is later, different or itself cached")


def proposals(connection: Connection, row: Row[Any]) -> list[str]:
    """The proposals for a birth are numbered without gaps, and an accepted proposal has the operator of the birth."""
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
    return query_line(connection, gap, "a gap in the list of proposals") + query_line(
        connection, other, "an accepted proposal, though another operator made it"
    )
