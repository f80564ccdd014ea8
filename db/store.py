"""The store: what runs have done, kept so that they can be gone on with and asked about."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from sqlalchemy import Connection, Row, column, func, insert, select, table, update
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
    REQUESTS,
    RUN_STATES,
    ArtifactRecord,
    EvaluationRecord,
    IndividualRecord,
    RunRecord,
    RunScores,
    RunSummary,
    ScoredIndividual,
)
from germline.db.run_list import summary
from germline.db.schema import artifact, control, evaluation, genome, individual, parentage, rejection, run

_PAGE: Final = 5000
_SUMMARY = table("v_runs", *(column(field.name) for field in fields(RunSummary)))


class Store:
    """The memory of runs, in a SQLite file or on a server.

    The contract, which every database must keep:

    - A method that writes is one transaction: when it returns, its rows survive kill -9 and, on a local disk, power
      loss; when it raises, none of them is there. One process, the run's owner, adds to a run.
    - Births of a run are added in their order, 0, 1, 2, …, each once, and its parents before it. An evaluation is
      unique per (run, fingerprint, task, rung, seed). Nothing is ever changed or taken away.
    - An individual's *outcome* is its fingerprint's evaluation on the run's own task at rung 0, seed 0; so a cache hit
      has the outcome of the birth it was cached from. All other evaluations are reviews and move no best.
    - The *best* has the highest fitness among ok outcomes, and among equals the lowest birth.
    - Floats come back bit for bit, records frozen.
    - Reading takes no write lock and holds none between the items of an iterator, so writing goes on meanwhile.
    - A locked database is waited for; ``on_wait`` is told.

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
        """Give the connection back."""
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
                made = self._database.write(lambda connection: runs.create(connection, name, values))
            except RecordConflict as error:
                # Two processes on a server can find the same number free; the loser takes the next one.
                if name is not None:
                    raise RunExists(f"a run named {name!r} exists already: name this one differently") from error
                continue
            self._database.drive()
            return made

    def run(self, name: str) -> RunRecord:
        """The run of this name.

        Raises:
            UnknownRun: there is none.
        """
        return self._database.read(lambda connection: from_rows.run_record(runs.row_of(connection, name)))

    def runs(self) -> list[RunSummary]:
        """Every run, oldest first."""
        query = select(_SUMMARY).order_by(_SUMMARY.c.created, _SUMMARY.c.name)
        found = self._database.read(lambda connection: connection.execute(query).all())
        return [summary(tuple(row)) for row in found]

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

    def add_individuals(self, run_id: int, kind: str, records: Sequence[IndividualRecord]) -> None:
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
                dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
                connection.execute(dialect.insert(genome).on_conflict_do_nothing(), genomes)
                connection.execute(insert(individual), individuals)
            if parents:
                connection.execute(insert(parentage), parents)
            if rejections:
                connection.execute(insert(rejection), rejections)

        self._add(add, f"births {_span(records)} of run {run_id}")

    def add_evaluations(self, run_id: int, records: Sequence[EvaluationRecord], seconds: float = 0.0) -> None:
        """Record evaluations; ``seconds`` of driver time are added to the run's in the same transaction.

        Raises:
            RecordConflict: an evaluation is recorded already, or its birth is not; none was added.
            InvalidRecord: an unknown status, or a fitness without an ok outcome.
        """
        evaluations = to_rows.evaluation_rows(run_id, records)

        def add(connection: Connection) -> None:
            if evaluations:
                connection.execute(insert(evaluation), evaluations)
            if seconds:
                connection.execute(update(run).where(run.c.id == run_id).values(seconds=run.c.seconds + seconds))

        self._add(add, f"evaluations for births {_span(records)} of run {run_id}")

    def individuals(self, run_id: int) -> Iterator[IndividualRecord]:
        """All births of a run, in their order."""
        after = -1
        while found := self._database.read(lambda connection: lineage.page(connection, run_id, after, _PAGE)):  # noqa: B023
            yield from found
            after = found[-1].birth

    def evaluations(self, run_id: int) -> Iterator[EvaluationRecord]:
        """All evaluations of a run, in the order in which they were recorded."""
        kind = self._database.read(lambda connection: runs.kind_of(connection, run_id))
        after = 0
        while True:
            query = (
                select(evaluation.c.id, *lineage.EVALUATION_COLUMNS)
                .where(evaluation.c.run_id == run_id, evaluation.c.id > after)
                .order_by(evaluation.c.id)
                .limit(_PAGE)
            )
            found = self._database.read(lambda connection: connection.execute(query).all())  # noqa: B023
            if not found:
                return
            for row in found:
                yield from_rows.evaluation_record(tuple(row[1:]), kind)
            after = found[-1][0]

    # Questions

    def individual(self, run_name: str, birth: int) -> ScoredIndividual:
        """One individual with its outcome.

        Raises:
            UnknownRun, UnknownBirth
        """

        def ask(connection: Connection) -> ScoredIndividual:
            row = runs.row_of(connection, run_name)
            found = lineage.one(connection, row, birth) if 0 <= birth < 1 << 31 else None
            if found is None:
                raise _unknown_birth(connection, row, birth)
            return found

        return self._database.read(ask)

    def best(self, run_name: str) -> ScoredIndividual:
        """The best individual.

        Raises:
            UnknownRun, NothingScored
        """
        found = self.top(run_name, 1)
        if not found:
            raise NothingScored(f"run {run_name!r} has no ok outcome yet: `germline runs` shows how far it is")
        return found[0]

    def top(self, run_name: str, n: int | None = None) -> list[ScoredIndividual]:
        """The ``n`` best of different fingerprints (all: None), best first, ok outcomes only; each by its first birth.

        Raises:
            UnknownRun
        """
        return self._database.read(lambda connection: lineage.top(connection, runs.row_of(connection, run_name), n))

    def winner(self, run_name: str) -> ScoredIndividual:
        """Who is handed over where the fittest may only be the luckiest: the fittest of the last reviews.

        Reviews are scorings at rung 1, and their seed is the generation; the last one counts whose reviews are all
        done. Without reviews it is the best.

        Raises:
            UnknownRun, NothingScored
        """
        return self.elite(run_name) or self.best(run_name)

    def elite(self, run_name: str, generation: int | None = None) -> ScoredIndividual | None:
        """The fittest of the reviews of a generation, counted from 1; None: `winner`'s. None if there were none.

        Raises:
            UnknownRun
        """

        def ask(connection: Connection) -> ScoredIndividual | None:
            return lineage.elite(connection, runs.row_of(connection, run_name), generation)

        return self._database.read(ask)

    def block(self, run_name: str, number: int | None = None) -> list[ScoredIndividual]:
        """The individuals of a block, in order of birth; None: of the last one in which all have an outcome.

        There are none if there is no such block.

        Raises:
            UnknownRun
        """

        def ask(connection: Connection) -> list[ScoredIndividual]:
            return lineage.block(connection, runs.row_of(connection, run_name), number)

        return self._database.read(ask)

    def scores(self, run_name: str, measure: str) -> RunScores:
        """What every birth and every review of a run brought, at one moment: all that a learning curve is made of.

        Args:
            run_name: of the run.
            measure: which one to read of the births' outcomes; they can have hundreds.

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
        kind, found = self._database.read(
            lambda connection: (runs.kind_of(connection, run_id), connection.execute(query).all())
        )
        return [from_rows.evaluation_record(tuple(row), kind) for row in found]

    def lineage(self, run_name: str, birth: int) -> list[ScoredIndividual]:
        """An individual and all its ancestors, oldest first.

        Raises:
            UnknownRun, UnknownBirth
        """

        def ask(connection: Connection) -> list[ScoredIndividual]:
            row = runs.row_of(connection, run_name)
            found = lineage.ancestry(connection, row, birth) if 0 <= birth < 1 << 31 else []
            if not found:
                raise _unknown_birth(connection, row, birth)
            return found

        return self._database.read(ask)

    def mean_seconds(self, run_name: str) -> float:
        """What an evaluation at rung 0 took on average, in seconds; 0 while there is none.

        Raises:
            UnknownRun
        """

        def ask(connection: Connection) -> float:
            mean = select(func.avg(evaluation.c.seconds))
            here = (evaluation.c.run_id == runs.row_of(connection, run_name).id, evaluation.c.rung == 0)
            return float(connection.scalar(mean.where(*here)) or 0.0)

        return self._database.read(ask)

    def failures(self, run_name: str) -> Mapping[str, int]:
        """How many evaluations ended in each status but ok, by status; a status that none had is left out.

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

    def request(self, run_name: str, request: str) -> None:
        """Ask the driver of a run to ``stop`` or ``pause``.

        Raises:
            UnknownRun
            InvalidRecord: another request.
        """
        if request not in REQUESTS:
            raise InvalidRecord(f"a run can be asked to {' or '.join(REQUESTS)}, got {request!r}")

        def ask(connection: Connection) -> None:
            values = {"request": request, "created": to_rows.now(), "handled": False}
            connection.execute(insert(control).values(run_id=runs.row_of(connection, run_name).id, **values))

        self._database.write(ask)

    def pending(self, run_id: int) -> list[str]:
        """The requests not handled yet, oldest first."""
        query = select(control.c.request).where(control.c.run_id == run_id, ~control.c.handled).order_by(control.c.id)
        return self._database.read(lambda connection: list(connection.scalars(query)))

    def handled(self, run_id: int) -> None:
        """Mark all pending requests of a run as handled."""
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
            columns = [artifact.c[field.name] for field in fields(ArtifactRecord)]
            run_id = runs.row_of(connection, run_name).id
            query = select(*columns).where(artifact.c.run_id == run_id).order_by(artifact.c.id)
            return [from_rows.artifact_record(tuple(row)) for row in connection.execute(query).all()]

        return self._database.read(ask)

    # The database itself

    def check(self) -> list[str]:
        """Everything that is wrong with the database, in words; [] if it is sound."""
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


def _unknown_birth(connection: Connection, row: Row[Any], birth: int) -> UnknownBirth:
    count = lineage.births(connection, row.id)
    has = f"has births 0 to {count - 1}" if count else "has no births yet"
    return UnknownBirth(f"run {row.name!r} {has}, got {birth}")


def _span(records: Sequence[IndividualRecord] | Sequence[EvaluationRecord]) -> str:
    births = [record.birth for record in records]
    return f"{min(births)} to {max(births)}" if births else "none"
