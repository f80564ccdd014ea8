"""The store: the records of runs, written so that a run can be resumed and queried."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from sqlalchemy import Connection, Row, column, exists, func, insert, select, table, update
from sqlalchemy.dialects import postgresql, sqlite

from germline.db import check, exact_json, from_rows, lineage, owner, runs, sqlite_file, to_rows
from germline.db.errors import (
    DamagedDatabase,
    InvalidRecord,
    NothingScored,
    RecordConflict,
    RunExists,
    UnknownBirth,
    Unsupported,
)
from germline.db.location import SqliteFile, locate
from germline.db.lock_retry import Patience
from germline.db.opening import open_database
from germline.db.records import (
    RUN_STATES,
    ArtifactRecord,
    EvaluationRecord,
    Individual,
    RunRecord,
    RunScores,
    RunSummary,
    ScoredIndividual,
    Winner,
)
from germline.db.run_list import summary
from germline.db.schema import artifact, control, evaluation, genome, individual, parentage, rejection, run, winner

_PAGE: Final = 5000
_SUMMARY = table("v_runs", *(column(field.name) for field in fields(RunSummary)))


class Store:
    """The memory of runs, in a SQLite file or on a server.

    The contract, which every database must keep:

    - A method that writes is one transaction: when it returns, its rows survive kill -9 and, on a local disk, power
      loss; when it raises, none of them is there. One process, the run's owner, adds to a run.
    - Births of a run are added in their order, 0, 1, 2, …, each once, and its parents before it. An evaluation is
      unique per (run, fingerprint, task, rung, seed). Nothing is ever changed or taken away, except that a closing
      replaces an earlier one after the same block.
    - An individual's *outcome* is its fingerprint's evaluation on the run's own task at rung 0, seed 0; so a cache hit
      has the outcome of the birth it was cached from. All other evaluations are reviews and move no best.
    - The *best* has the highest fitness among ok outcomes, and among equals the lowest birth.
    - The *winner* is the individual that the search would hand over. The driver records it with each complete block
      and at the end of a budget (closing); a block is complete if its winner is recorded. A later block outranks an
      earlier block, and a closing outranks the block that it follows.
    - Floats come back bit for bit, records frozen.
    - Reading takes no write lock and holds none between the items of an iterator, so writing goes on meanwhile.
    - A method waits for a locked database, and reports each wait to ``on_wait``.

    Args:
        url: a path, ``sqlite:///path`` or ``postgresql://…``.
        create: make the database if there is none.
        on_wait: called with one line for the user each time another process's lock was met.
        busy_seconds: how long the database waits for a lock before it reports it.
        wait_seconds: how long to go on trying before ``DatabaseLocked``.

    Raises:
        DatabaseError: one of its subclasses, before anything is written: BadUrl, BadPath, MissingDatabase,
            NotADatabase, ForeignDatabase, SchemaOutdated, SchemaNewer, ReadOnlyDatabase, Unreachable.
    """

    def __init__(
        self,
        url: str = "sqlite:///germline.db",
        create: bool = True,
        on_wait: Callable[[str], None] = lambda message: None,
        busy_seconds: float = 5.0,
        wait_seconds: float = 600.0,
    ) -> None:
        self._location = locate(url)
        self._database = open_database(self._location, create, Patience(busy_seconds, wait_seconds, on_wait))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connection."""
        self._database.close()

    # Runs

    def create_run(
        self,
        name: str | None,
        kind: str,
        task: str,
        preset: str,
        seed: int,
        config: Mapping[str, Any],
        environment: Mapping[str, Any],
    ) -> RunRecord:
        """A new run that the calling process owns; without a name it is the first free of ``kind-1``, ``kind-2``, …

        Raises:
            RunExists: the name is taken.
            InvalidRecord: a name that could be a path or RUN:BIRTH; a seed below 0 or above 64 bits; a config that is
                not JSON.
        """
        values = {
            "kind": to_rows.checked_text(kind, "the kind of a run"),
            "task": to_rows.checked_text(task, "the task of a run"),
            "preset": to_rows.checked_text(preset, "the preset of a run"),
            "seed": to_rows.checked_seed(seed),
            "config": exact_json.dump_plain(config, "the config of a run"),
            "environment": exact_json.dump_plain(environment, "the environment of a run"),
            "status": "running",
            "owner": owner.this_process(),
            "created": to_rows.now(),
            "seconds": 0.0,
        }
        if name is not None:
            to_rows.checked_name(name)
        while True:
            try:
                record = self._database.write(lambda connection: runs.create(connection, name, values))
            except RecordConflict as error:
                # Two processes on a server can choose the same number; the second to write takes the next number.
                if name is not None:
                    raise RunExists(f"a run named {name!r} exists already: name this one differently") from error
                continue
            self._database.drive()
            return record

    def run(self, name: str) -> RunRecord:
        """The run of this name.

        Raises:
            UnknownRun: there is none.
        """
        return self._database.read(lambda connection: from_rows.run_record(runs.row_of(connection, name)))

    def runs(self) -> list[RunSummary]:
        """Every run, oldest first."""
        query = select(_SUMMARY).order_by(_SUMMARY.c.created, _SUMMARY.c.name)
        rows = self._database.read(lambda connection: from_rows.fetch(connection.execute(query)))
        return [summary(row) for row in rows]

    def claim(self, run_id: int, force: bool = False) -> None:
        """Make the calling process the run's owner, and the run ``running``.

        A dead owner on this host gives way. Whether one on another host lives cannot be seen from here, so it keeps
        the run until ``force`` says that it is gone.

        Raises:
            RunBusy: another process owns the run.
        """
        self._database.write(lambda connection: runs.claim(connection, run_id, force))
        self._database.drive()

    def release(self, run_id: int, status: str, seconds: float) -> None:
        """End the calling process's drive: ``status`` is stopped, finished or failed; ``seconds`` are added.

        Raises:
            RunBusy: another process owns the run.
            InvalidRecord: another status.
        """
        if status not in RUN_STATES[1:]:
            raise InvalidRecord(f"a run is released as one of {', '.join(RUN_STATES[1:])}, got {status!r}")
        self._database.write(lambda connection: runs.release(connection, run_id, status, seconds))

    # What a driver writes and reads back

    def add_individuals(self, run_id: int, kind: str, records: Sequence[Individual]) -> None:
        """Record births, with their genomes and parents.

        Raises:
            RecordConflict: a birth is recorded already, or points to a birth that is not; none was added.
            InvalidRecord: a record that breaks an invariant by itself.
        """
        digests = to_rows.genome_digests(kind, records)
        genomes = to_rows.genome_rows(kind, records, digests)
        individuals = to_rows.individual_rows(run_id, records, digests)
        parents = to_rows.parentage_rows(run_id, records)
        rejections = to_rows.rejection_rows(run_id, records)

        def add(connection: Connection) -> None:
            if genomes:
                connection.execute(_dialect(connection).insert(genome).on_conflict_do_nothing(), genomes)
                connection.execute(insert(individual), individuals)
            if parents:
                connection.execute(insert(parentage), parents)
            if rejections:
                connection.execute(insert(rejection), rejections)

        self._add(add, f"births {_span(records)} of run {run_id}")

    def add_evaluations(
        self,
        run_id: int,
        records: Sequence[EvaluationRecord],
        seconds: float = 0.0,
        winners: Sequence[Winner] = (),
    ) -> None:
        """Record evaluations, and the winners of the blocks that they complete.

        ``seconds`` of driver time are added to the run's in the same transaction.

        Raises:
            RecordConflict: an evaluation or a block's winner is recorded already, or its birth is not; none was added.
            InvalidRecord: an unknown status, or a fitness without an ok outcome.
        """
        evaluations = to_rows.evaluation_rows(run_id, records)
        winner_rows = to_rows.winner_rows(run_id, winners)

        def add(connection: Connection) -> None:
            if evaluations:
                connection.execute(insert(evaluation), evaluations)
            _insert_winners(connection, winner_rows)
            if seconds:
                connection.execute(update(run).where(run.c.id == run_id).values(seconds=run.c.seconds + seconds))

        self._add(add, f"evaluations for births {_span(records)} of run {run_id}")

    def add_winners(self, run_id: int, winners: Sequence[Winner]) -> None:
        """Record winners of blocks whose outcomes are recorded already.

        Raises:
            RecordConflict: a block's winner is recorded already, or its birth is not; none was added.
        """
        rows = to_rows.winner_rows(run_id, winners)
        blocks = ", ".join(str(each.block) for each in winners) or "none"
        self._add(lambda connection: _insert_winners(connection, rows), f"winners of blocks {blocks} of run {run_id}")

    def individuals(self, run_id: int) -> Iterator[Individual]:
        """All births of a run, in their order."""
        after = -1
        while page := self._database.read(lambda connection: lineage.page(connection, run_id, after, _PAGE)):  # noqa: B023
            yield from page
            after = page[-1].birth

    def evaluations(self, run_id: int) -> Iterator[EvaluationRecord]:
        """All evaluations of a run, in the order in which they were recorded."""
        kind = self._database.read(lambda connection: runs.kind_of(connection, run_id))
        after = 0
        while True:
            query = (
                select(*lineage.EVALUATION_COLUMNS, evaluation.c.id)
                .where(evaluation.c.run_id == run_id, evaluation.c.id > after)
                .order_by(evaluation.c.id)
                .limit(_PAGE)
            )
            rows = self._database.read(lambda connection: from_rows.fetch(connection.execute(query)))  # noqa: B023
            before = after
            for row in rows:
                after = row.pop()
                yield from_rows.evaluation_record(row, kind)
            if after == before:
                return

    # Questions

    def individual(self, run_name: str, birth: int) -> ScoredIndividual:
        """The individual of this birth, with its outcome.

        Raises:
            UnknownRun, UnknownBirth
        """

        def ask(connection: Connection) -> ScoredIndividual:
            row = runs.row_of(connection, run_name)
            scored = lineage.scored_individual(connection, row, birth) if 0 <= birth < 1 << 31 else None
            if scored is None:
                raise _unknown_birth(connection, row, birth)
            return scored

        return self._database.read(ask)

    def best(self, run_name: str) -> ScoredIndividual:
        """The best individual.

        Raises:
            UnknownRun, NothingScored
        """
        best = self.top(run_name, 1)
        if not best:
            raise NothingScored(f"run {run_name!r} has no ok outcome yet: `germline runs` shows how far it is")
        return best[0]

    def top(self, run_name: str, n: int | None = None) -> list[ScoredIndividual]:
        """The ``n`` best of different fingerprints (all: None), best first, ok outcomes only; each by its first birth.

        Raises:
            UnknownRun
        """
        return self._database.read(lambda connection: lineage.top(connection, runs.row_of(connection, run_name), n))

    def winner(self, run_name: str) -> ScoredIndividual | None:
        """The latest winner; None while none is recorded (``germline.search.winner`` knows what to do then).

        Raises:
            UnknownRun
        """
        return self._database.read(lambda connection: lineage.winner(connection, runs.row_of(connection, run_name)))

    def winners(self, run_name: str) -> Mapping[int, int | None]:
        """The winner's birth of each complete block, by block in order; None: no outcome was ok up to then.

        Raises:
            UnknownRun
        """
        return self._database.read(lambda connection: lineage.winners(connection, runs.row_of(connection, run_name)))

    def block(self, run_name: str, number: int | None = None) -> list[ScoredIndividual]:
        """The individuals of a block, in order of birth; None: of the last block in which all have an outcome.

        The list is empty if there is no such block.

        Raises:
            UnknownRun
        """

        def ask(connection: Connection) -> list[ScoredIndividual]:
            return lineage.block(connection, runs.row_of(connection, run_name), number)

        return self._database.read(ask)

    def scores(self, run_name: str, measure: str) -> RunScores:
        """The scores of every birth and every review of a run at one moment: the data of a learning curve.

        Args:
            run_name: of the run.
            measure: the name of the measure to read from the births' outcomes, which can have hundreds.

        Raises:
            UnknownRun
        """

        def ask(connection: Connection) -> RunScores:
            row = runs.row_of(connection, run_name)
            births = lineage.birth_scores(connection, row, measure)
            return RunScores(from_rows.run_record(row), tuple(births), tuple(lineage.review_scores(connection, row)))

        return self._database.read(ask)

    def reviews(self, run_id: int, fingerprint: str) -> list[EvaluationRecord]:
        """All evaluations of a fingerprint in a run: every task, rung and seed, lowest first."""
        query = (
            select(*lineage.EVALUATION_COLUMNS)
            .where(evaluation.c.run_id == run_id, evaluation.c.fingerprint == fingerprint)
            .order_by(evaluation.c.task, evaluation.c.rung, evaluation.c.seed)
        )
        kind, rows = self._database.read(
            lambda connection: (runs.kind_of(connection, run_id), from_rows.fetch(connection.execute(query)))
        )
        return [from_rows.evaluation_record(row, kind) for row in rows]

    def lineage(self, run_name: str, birth: int) -> list[ScoredIndividual]:
        """An individual and all its ancestors, oldest first.

        Raises:
            UnknownRun, UnknownBirth
        """

        def ask(connection: Connection) -> list[ScoredIndividual]:
            row = runs.row_of(connection, run_name)
            ancestors = lineage.ancestry(connection, row, birth) if 0 <= birth < 1 << 31 else []
            if not ancestors:
                raise _unknown_birth(connection, row, birth)
            return ancestors

        return self._database.read(ask)

    def mean_seconds(self, run_name: str) -> float:
        """Mean duration of an evaluation at rung 0, in seconds; 0 while there is none.

        Raises:
            UnknownRun
        """

        def ask(connection: Connection) -> float:
            mean = select(func.avg(evaluation.c.seconds))
            here = (evaluation.c.run_id == runs.row_of(connection, run_name).id, evaluation.c.rung == 0)
            return float(connection.scalar(mean.where(*here)) or 0.0)

        return self._database.read(ask)

    def failures(self, run_name: str) -> Mapping[str, int]:
        """Number of evaluations by status, without ok; a status that did not occur is left out.

        Raises:
            UnknownRun
        """

        def ask(connection: Connection) -> dict[str, int]:
            row = runs.row_of(connection, run_name)
            counts = (
                select(evaluation.c.status, func.count())
                .where(evaluation.c.run_id == row.id, evaluation.c.status != "ok")
                .group_by(evaluation.c.status)
                .order_by(evaluation.c.status)
            )
            return {row[0]: row[1] for row in connection.execute(counts)}

        return self._database.read(ask)

    # Requests from another shell, and exported files

    def request_stop(self, run_name: str) -> None:
        """Ask the driver of a run to stop.

        Raises:
            UnknownRun
        """

        def ask(connection: Connection) -> None:
            values = {"request": "stop", "created": to_rows.now(), "handled": False}
            connection.execute(insert(control).values(run_id=runs.row_of(connection, run_name).id, **values))

        self._database.write(ask)

    def stop_requested(self, run_id: int) -> bool:
        """True if a request to stop the run has not been handled yet."""
        query = select(exists().where(control.c.run_id == run_id, ~control.c.handled))
        return self._database.read(lambda connection: bool(connection.scalar(query)))

    def handle_requests(self, run_id: int) -> None:
        """Mark all requests to a run as handled."""
        mark = update(control).where(control.c.run_id == run_id, ~control.c.handled).values(handled=True)
        self._database.write(lambda connection: connection.execute(mark) and None)

    def add_artifact(self, run_name: str, birth: int, target: str, path: str, sha256: str) -> None:
        """Record that an individual was exported for ``target`` to the file ``path`` with this hash.

        Raises:
            UnknownRun
            RecordConflict: there is no such birth.
        """
        values = {
            "birth": to_rows.checked_whole(birth, "a birth", bits=32),
            "target": to_rows.checked_text(target, "a target"),
            "path": to_rows.checked_text(path, "a path"),
            "sha256": to_rows.checked_text(sha256, "a hash"),
            "created": to_rows.now(),
        }

        def add(connection: Connection) -> None:
            connection.execute(insert(artifact).values(run_id=runs.row_of(connection, run_name).id, **values))

        self._add(add, f"an artifact of birth {birth} of run {run_name!r}")

    def artifacts(self, run_name: str) -> list[ArtifactRecord]:
        """The files exported from a run, oldest first.

        Raises:
            UnknownRun
        """

        def ask(connection: Connection) -> list[ArtifactRecord]:
            columns = from_rows.columns_of(ArtifactRecord, artifact)
            run_id = runs.row_of(connection, run_name).id
            query = select(*columns).where(artifact.c.run_id == run_id).order_by(artifact.c.id)
            return [from_rows.artifact_record(row) for row in from_rows.fetch(connection.execute(query))]

        return self._database.read(ask)

    # The database itself

    def check(self) -> list[str]:
        """The problems of the database, one sentence each; empty if it is sound."""
        try:
            return self._database.read(check.problems)
        except DamagedDatabase as error:
            return [str(error)]

    def backup(self, path: str | Path) -> None:
        """A consistent copy in a new file, while runs go on; it appears whole or not at all.

        Raises:
            BackupRefused: the file exists, or cannot be written.
            DiskFull: no room for it.
            Unsupported: the database is on a server.
        """
        if not isinstance(self._location, SqliteFile):
            raise Unsupported(f"{self._location} is on a server: back it up with `pg_dump`")
        sqlite_file.copy(self._location.path, Path(path).absolute())

    def _add(self, add: Callable[[Connection], None], what: str) -> None:
        try:
            self._database.write(add)
        except RecordConflict as error:
            raise RecordConflict(f"{what}: recorded already, or pointing to a missing birth ({error})") from error


def _insert_winners(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Adds rows of ``winner``; a closing takes the place of an earlier one after the same block."""
    of_blocks = [row for row in rows if not row["closing"]]
    if of_blocks:
        connection.execute(insert(winner), of_blocks)
    for row in rows:
        if row["closing"]:
            add = _dialect(connection).insert(winner).values(**row)
            keys = [winner.c.run_id, winner.c.block, winner.c.closing]
            connection.execute(add.on_conflict_do_update(index_elements=keys, set_={"birth": add.excluded.birth}))


def _dialect(connection: Connection) -> Any:
    """The module with the dialect's own ``insert``, which knows ``ON CONFLICT``."""
    return postgresql if connection.dialect.name == "postgresql" else sqlite


def _unknown_birth(connection: Connection, row: Row[Any], birth: int) -> UnknownBirth:
    count = lineage.births(connection, row.id)
    has = f"has births 0 to {count - 1}" if count else "has no births yet"
    return UnknownBirth(f"run {row.name!r} {has}, got {birth}")


def _span(records: Sequence[Individual] | Sequence[EvaluationRecord]) -> str:
    births = [record.birth for record in records]
    return f"{min(births)} to {max(births)}" if births else "none"
