"""Reads, creates, claims and releases rows of ``run``, inside the transaction of the caller."""

import difflib
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Row, delete, exists, insert, select, update

from germline.db import from_rows, owner, to_rows
from germline.db.errors import RunBusy, UnknownRun
from germline.db.records import RunRecord
from germline.db.schema import control, individual, proposal, run


def row_of(connection: Connection, name: str) -> Row[Any]:
    """The row of the run of this name.

    Raises:
        UnknownRun: there is no such run; the message suggests the nearest name.
        DamagedDatabase: the row cannot be read.
    """
    query = select(run).where(run.c.name == name)
    row = connection.execute(query).one_or_none() if to_rows.is_storable(name) else None
    if row is not None:
        return from_rows.run_row(row)
    # In a damaged file the name of another run may be no text.
    names = [other for other in connection.scalars(select(run.c.name)) if isinstance(other, str)]
    nearest = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    hint = f"did you mean {nearest[0]!r}? " if nearest else ""
    raise UnknownRun(f"there is no run {name!r}: {hint}`germline runs` lists them")


def kind_of(connection: Connection, run_id: int) -> str | None:
    """The kind of genome of a run; None if there is no such run."""
    return connection.scalar(select(run.c.kind).where(run.c.id == run_id))


def create(connection: Connection, name: str | None, values: Mapping[str, Any]) -> RunRecord:
    """Adds a run with the given columns. Without a name it becomes the first unused of ``KIND-1``, ``KIND-2``, …"""
    if name is None:
        used_names = set(connection.scalars(select(run.c.name).where(run.c.name.startswith(f"{values['kind']}-"))))
        number = next(n for n in range(1, len(used_names) + 2) if f"{values['kind']}-{n}" not in used_names)
        name = to_rows.checked_name(f"{values['kind']}-{number}")
    connection.execute(insert(run).values(name=name, **values))
    return from_rows.run_record(row_of(connection, name))


def _locked_row(connection: Connection, run_id: int) -> Row[Any]:
    row = connection.execute(select(run).where(run.c.id == run_id).with_for_update()).one_or_none()
    if row is None:
        raise UnknownRun(f"there is no run with id {run_id}: `germline runs` lists the runs")
    return from_rows.run_row(row)


def claim(connection: Connection, run_id: int, force: bool) -> None:
    """Makes the calling process the owner of the run and sets the status ``running``.

    Args:
        connection: a connection inside a write transaction.
        run_id: the id of the run.
        force: take the run even from an owner that may be alive.

    Raises:
        UnknownRun: there is no such run.
        RunBusy: another process owns the run and may be alive.
    """
    row = _locked_row(connection, run_id)
    driver, this_process = row.owner, owner.this_process()
    if driver is not None and driver != this_process and row.status == "running" and not force:
        process = " on ".join(reversed(driver.split(":")[:2]))
        if not owner.on_this_host(driver):
            raise RunBusy(f"run {row.name!r} is driven by process {process}, another machine: stop it there first")
        if owner.is_alive(driver):
            raise RunBusy(
                f"run {row.name!r} is driven by process {process}: `germline stop {row.name}` ends it, or wait for it"
            )
    connection.execute(update(run).where(run.c.id == run_id).values(status="running", owner=this_process))


def release(connection: Connection, run_id: int, status: str, seconds: float) -> None:
    """Gives up the ownership of the run, sets its status, and adds ``seconds`` of driver time.

    Raises:
        UnknownRun: there is no such run.
        RunBusy: another process owns the run.
    """
    row = _locked_row(connection, run_id)
    if row.owner not in (None, owner.this_process()):
        raise RunBusy(f"run {row.name!r} is driven by another process ({row.owner}): only that process can release it")
    values = {"status": status, "owner": None, "seconds": row.seconds + float(seconds)}
    connection.execute(update(run).where(run.c.id == run_id).values(**values))


def forget(connection: Connection, run_id: int) -> bool:
    """Removes a run without individuals; returns False if it has some, or another process owns it."""
    if _locked_row(connection, run_id).owner not in (None, owner.this_process()):
        return False
    if connection.scalar(select(exists().where(individual.c.run_id == run_id))):
        return False
    connection.execute(delete(proposal).where(proposal.c.run_id == run_id))
    connection.execute(delete(control).where(control.c.run_id == run_id))
    connection.execute(delete(run).where(run.c.id == run_id))
    return True
