"""Reads, creates, claims and releases rows of ``run``, inside the transaction of the caller."""

import difflib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, Table, exists, func, insert, select, text, union, update
from sqlalchemy import delete as remove

from germline.db import exact_json, from_rows, owner, tags, to_rows
from germline.db.errors import RunBusy, RunExists, UnknownRun
from germline.db.records import RunRecord
from germline.db.schema import answer, control, genome, individual, metadata, proposal, run


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


def claim(connection: Connection, run_id: int, force: bool, driven: bool) -> None:
    """Makes the calling process the owner of the run and sets the status ``running``.

    Args:
        connection: a connection inside a write transaction.
        run_id: the id of the run.
        force: take the run even from an owner that may be alive.
        driven: whether another session of the calling process drives the run.

    Raises:
        UnknownRun: there is no such run.
        RunBusy: another session of this process drives the run, or another process owns it and may be alive.
    """
    row = _locked_row(connection, run_id)
    if not force:
        _check_free(row, driven)
    values = {"status": "running", "owner": owner.this_process()}
    connection.execute(update(run).where(run.c.id == run_id).values(**values))


def _check_free(row: Row[Any], driven: bool) -> None:
    """Raises RunBusy if this process drives the run (``driven``), or another process owns it and may be alive."""
    if driven:
        raise RunBusy(f"run {row.name!r} is driven by a session of this process: close it, or leave its iteration")
    driver = row.owner
    if driver is None or driver == owner.this_process() or row.status != "running":
        return
    process = " on ".join(reversed(driver.split(":")[:2]))
    if not owner.on_this_host(driver):
        raise RunBusy(f"run {row.name!r} is driven by process {process}, another machine: stop it there first")
    if owner.is_alive(driver):
        raise RunBusy(
            f"run {row.name!r} is driven by process {process}: `germline stop {row.name}` ends it, or wait for it"
        )


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
    _remove_proposals(connection, run_id)
    connection.execute(remove(control).where(control.c.run_id == run_id))
    connection.execute(remove(run).where(run.c.id == run_id))
    return True


def tag(connection: Connection, name: str, added: Sequence[str], removed: Sequence[str]) -> tuple[str, ...]:
    """Adds tags to a run and removes others; returns those that it has then.

    Raises:
        UnknownRun: there is no such run.
        DamagedDatabase: the row cannot be read.
    """
    row = _locked_row(connection, row_of(connection, name).id)
    environment = {**from_rows.run_record(row).environment}
    now = tags.changed(tags.tags_of(environment), added, removed)
    environment[tags.KEY] = list(now)
    values = {"environment": exact_json.dump_plain(environment, "the environment of a run")}
    connection.execute(update(run).where(run.c.id == row.id).values(**values))
    return now


def rename(connection: Connection, name: str, new_name: str, is_driven: Callable[[int], bool]) -> None:
    """Gives a run another name. ``is_driven`` says whether this process drives the run with an id.

    Raises:
        UnknownRun: there is no such run.
        RunBusy: a session of this process drives the run, or another process owns it and may be alive.
        RunExists: another run has the new name.
    """
    row = _locked_row(connection, row_of(connection, name).id)
    _check_free(row, is_driven(row.id))
    if connection.scalar(select(exists().where(run.c.name == new_name, run.c.id != row.id))):
        raise RunExists(f"a run named {new_name!r} exists already: choose another name")
    connection.execute(update(run).where(run.c.id == row.id).values(name=new_name))


def delete(connection: Connection, name: str, is_driven: Callable[[int], bool]) -> int:
    """Removes a run with all its rows, and the genomes and answers that no other run has or is based on. Returns the
    number of its births. ``is_driven`` says whether this process drives the run with an id.

    Raises:
        UnknownRun: there is no such run.
        RunBusy: a session of this process drives the run, or another process owns it and may be alive.
    """
    row = _locked_row(connection, row_of(connection, name).id)
    _check_free(row, is_driven(row.id))
    if connection.dialect.name == "postgresql":  # a search must not meet a genome that is removed before it commits
        connection.execute(text("LOCK TABLE genome IN SHARE ROW EXCLUSIVE MODE"))
    _remove_proposals(connection, row.id)
    births = connection.scalar(select(func.count()).where(individual.c.run_id == row.id)) or 0
    for table in _tables_of_runs():
        connection.execute(remove(table).where(table.c.run_id == row.id))
    connection.execute(remove(run).where(run.c.id == row.id))
    _remove_genomes(connection)
    return births


def _remove_genomes(connection: Connection) -> None:
    """Removes the genomes that nothing refers to, and that are no bases, of bases, of others that stay."""
    # Without indexes the database would read all individuals and genomes for each, to see that none refers to it.
    connection.execute(text("CREATE INDEX ix_deletion ON individual (genome)"))
    connection.execute(text("CREATE INDEX ix_deletion_of_bases ON genome (base)"))
    columns = [column for table in metadata.tables.values() for column in table.c if column.references(genome.c.digest)]
    referring = union(*(select(column.label("digest")) for column in columns if column.table is not genome)).subquery()
    used = select(referring.c.digest).cte("used", recursive=True)
    bases = select(genome.c.base).join(used, genome.c.digest == used.c.digest).where(genome.c.base.is_not(None))
    used = used.union(bases)
    connection.execute(remove(genome).where(genome.c.digest.not_in(select(used.c.digest))))
    connection.execute(text("DROP INDEX ix_deletion"))
    connection.execute(text("DROP INDEX ix_deletion_of_bases"))


def _remove_proposals(connection: Connection, run_id: int) -> None:
    """Removes the proposals of a run, and the answers that no other proposal refers to."""
    if not connection.scalar(select(exists().where(proposal.c.run_id == run_id))):
        return
    if connection.dialect.name == "postgresql":  # a search must not meet an answer that is removed before it commits
        connection.execute(text("LOCK TABLE answer IN SHARE ROW EXCLUSIVE MODE"))
    connection.execute(remove(proposal).where(proposal.c.run_id == run_id))
    # As for genomes: without the index all proposals would be read for each answer.
    connection.execute(text("CREATE INDEX ix_removal ON proposal (answer)"))
    connection.execute(remove(answer).where(answer.c.digest.not_in(select(proposal.c.answer))))
    connection.execute(text("DROP INDEX ix_removal"))


def _tables_of_runs() -> list[Table]:
    """The tables whose rows belong to a run; a table comes before those that its rows refer to."""
    return [table for table in reversed(metadata.sorted_tables) if "run_id" in table.c]
