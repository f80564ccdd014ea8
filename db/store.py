"""The store: writes and queries the records of runs."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from sqlalchemy import Connection, Row, exists, func, insert, select, text, update
from sqlalchemy.dialects import postgresql, sqlite

from germline.db import (
    check,
    columns,
    exact_json,
    from_rows,
    lineage,
    owner,
    proposals,
    run_list,
    runs,
    sqlite_file,
    tags,
    to_rows,
    trainings,
)
from germline.db.driven_runs import DrivenRuns
from germline.db.errors import (
    DamagedDatabase,
    InvalidRecord,
    NothingScored,
    RecordConflict,
    RunExists,
    UnknownBirth,
    Unsupported,
    unreadable_row,
)
from germline.db.frame import Library, columns_of_individuals, frame, frame_package
from germline.db.location import SqliteFile, locate
from germline.db.lock_retry import LockRetry
from germline.db.opening import open_database
from germline.db.records import (
    RUN_STATES,
    ArtifactRecord,
    EvaluationRecord,
    Individual,
    ProposalRecord,
    ProposalTotals,
    ReviewScore,
    RunRecord,
    RunScores,
    RunSummary,
    ScoredIndividual,
    SimplifiedRecord,
    Snapshot,
    TrainingRecord,
    VerdictRecord,
    Winner,
)
from germline.db.schema import (
    artifact,
    control,
    evaluation,
    genome,
    individual,
    parentage,
    rejection,
    run,
    simplified,
    verdict,
    winner,
)
from germline.db.schema import snapshot as snapshot_table

_PAGE: Final = 5000
_NAMING_ATTEMPTS: Final = 1000
"""How often a run without a name tries to take the next number: each conflict means that another process took it."""
_CHUNK: Final = 500
"""Values in a condition of a query: more would be slower to compile, and SQLite has a limit."""


class Store:
    """A database of runs, in a SQLite file or on a PostgreSQL server.

    Guarantees, the same on every database:

    - A method that writes is one transaction. When it returns, its rows survive kill -9 and, on a local disk, power
      loss; when it raises, none of its rows is recorded.
    - A run has one owner at a time, the process that claimed it. That only the owner adds to the run, and adds births
      in their order 0, 1, 2, …, is left to the caller.
    - A birth is added once, after its parents. An evaluation is unique per (run, fingerprint, task, rung, seed).
      Recorded individuals, evaluations and proposals never change. The only rows that are ever replaced are the winner
      of a closing, by a later closing after the same block, and the snapshot of a run, by a later one. A search removes
      no run but its own without individuals; ``delete_run`` is for people.
    - The *outcome* of an individual is the evaluation of its fingerprint on the run's own task at rung 0, seed 0; so a
      cache hit has the outcome of the birth that it was cached from. All other evaluations are reviews, which do not
      change the best.
    - The *best* has the highest fitness among ok outcomes, and among equals the lowest birth.
    - The *winner* is the individual that the search hands over. The driver records it with each complete block and at
      the end of a budget (a *closing*). A block is complete if its winner is recorded. The winner of a later block
      replaces that of an earlier block, and a closing that of the block before it.
    - The name and the tags of a run are for people; they can be changed, and nothing depends on them.
    - Floats are preserved exactly, and records are frozen.
    - Reading takes no write lock, and an iterator holds no transaction between its items, so rows can be written
      meanwhile.
    - A method waits while the database is locked, and reports each wait to ``on_wait``.

    Every method raises a subclass of ``DatabaseError`` if the database is damaged, locked or unreachable.

    Args:
        url: a path, ``sqlite:///path`` or ``postgresql://…``.
        create: create the database if it is missing.
        on_wait: called with one line for the user each time the lock of another process delays a method.
        busy_seconds: how long the database itself waits for a lock before it reports it.
        wait_seconds: total time after which a method stops waiting and raises ``DatabaseLocked``.
        read_only: open an existing database for reading alone; a method that writes raises ``ReadOnlyDatabase``.

    Raises:
        DatabaseError: one of its subclasses BadUrl, BadPath, MissingDatabase, NotADatabase, ForeignDatabase,
            AlteredSchema, SchemaOutdated, SchemaNewer, ReadOnlyDatabase, DatabaseLocked, DiskFull, Unreachable. Nothing
            has been written but, perhaps, an empty file.
    """

    def __init__(
        self,
        url: str = "sqlite:///germline.db",
        create: bool = True,
        on_wait: Callable[[str], None] = lambda message: None,
        busy_seconds: float = 5.0,
        wait_seconds: float = 600.0,
        read_only: bool = False,
    ) -> None:
        self._location = locate(url)
        self._driven = DrivenRuns(self._location)
        retry = LockRetry(busy_seconds, wait_seconds, on_wait)
        self._database = open_database(self._location, create and not read_only, retry, read_only)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connection. Runs that are still driven through the store are not driven any more."""
        self._driven.close()
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
        """Adds a run that the calling process owns. Without a name it is the first unused of ``KIND-1``, ``KIND-2``, …

        Raises:
            RunExists: a run has this name already.
            RecordConflict: the server refuses the row for another reason than its name.
            InvalidRecord: the name could be read as a path or RUN:BIRTH, the seed is negative or does not fit in 64
                bits with its sign, or the config or environment is not plain JSON.
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
        for attempt in range(_NAMING_ATTEMPTS):
            try:
                record = self._database.write(lambda connection: runs.create(connection, name, values))
                break
            except RecordConflict as error:
                if name is not None:
                    raise RunExists(f"a run named {name!r} exists already: choose another name") from error
                # Two processes on a server can choose the same number; the second to write takes the next number.
                if attempt == _NAMING_ATTEMPTS - 1:
                    raise
        self._database.use_write_ahead_log()
        return record

    def run(self, name: str) -> RunRecord:
        """The run of this name.

        Raises:
            UnknownRun: no run has that name.
        """
        return self._database.read(lambda connection: from_rows.run_record(runs.row_of(connection, name)))

    def runs(self) -> list[RunSummary]:
        """All runs, oldest first."""
        rows = self._database.read(lambda connection: from_rows.fetch(connection.execute(text(run_list.QUERY))))
        return [run_list.summary(row) for row in rows]

    def summary(self, run_name: str) -> RunSummary:
        """The progress of the run of this name.

        Raises:
            UnknownRun
        """

        def read(connection: Connection) -> RunSummary:
            run_id = runs.row_of(connection, run_name).id
            rows = from_rows.fetch(connection.execute(text(run_list.QUERY_OF_RUN), {"run_id": run_id}))
            return next(run_list.summary(row) for row in rows)

        return self._database.read(read)

    def claim(self, run_id: int, force: bool = False) -> None:
        """Makes the calling process the owner of the run and sets the status ``running``.

        Ownership is taken from a dead owner on this host. An owner on another host cannot be checked, so it keeps the
        run unless ``force`` is true.

        Raises:
            UnknownRun: no run has that name.
            RunBusy: another session of this process drives the run, or another process owns it and may be alive.
        """
        begun = self._driven.begin(run_id)
        try:
            self._database.write(lambda connection: runs.claim(connection, run_id, force, driven=not begun))
            self._database.use_write_ahead_log()
        except BaseException:
            if begun:
                self._driven.end(run_id)
            raise

    def release(self, run_id: int, status: str, seconds: float) -> None:
        """Gives up the calling process's ownership of the run, sets its status and adds ``seconds`` of driver time.

        Raises:
            UnknownRun: no run has that name.
            RunBusy: another process owns the run.
            InvalidRecord: ``status`` is not ``stopped``, ``finished`` or ``failed``.
        """
        if status not in RUN_STATES[1:]:
            raise InvalidRecord(f"expected a released run to be one of {', '.join(RUN_STATES[1:])}, got {status!r}")
        try:
            self._database.write(lambda connection: runs.release(connection, run_id, status, seconds))
        finally:
            self._driven.end(run_id)

    def forget(self, run_id: int) -> bool:
        """Removes a run without individuals, such as a run whose workers never started, so that its name is free.

        Returns False and removes nothing if the run has individuals, or another process owns it.

        Raises:
            UnknownRun: no run has that name.
        """
        return self._database.write(lambda connection: runs.forget(connection, run_id))

    def tag_run(self, name: str, add: Sequence[str] = (), remove: Sequence[str] = ()) -> tuple[str, ...]:
        """Adds tags to a run and removes others. Returns the tags that it has then, in alphabetical order.

        Raises:
            UnknownRun
            InvalidRecord: a tag has other characters than letters, digits and ``_ . + / @ -``, or more than 64.
        """
        added = [tags.checked_tag(tag) for tag in add]
        return self._database.write(lambda connection: runs.tag(connection, name, added, remove))

    def rename_run(self, name: str, new_name: str) -> None:
        """Gives a run another name; its records stay as they are.

        Raises:
            UnknownRun
            RunBusy: a session of this process drives the run, or another process owns it and may be alive.
            RunExists: another run has the new name.
            InvalidRecord: the new name could be read as a path or RUN:BIRTH.
        """
        to_rows.checked_name(new_name)
        try:
            self._database.write(lambda connection: runs.rename(connection, name, new_name, self._driven.includes))
        except RecordConflict as error:  # another process took the name at this moment
            raise RunExists(f"a run named {new_name!r} exists already: choose another name") from error

    def delete_run(self, name: str) -> int:
        """Removes a run with all its records, and the genomes and answers that no other run has. Returns the number of
        its births.

        Trainings of tuned comparisons stay: they belong to no run. The file keeps its size; later rows fill the room.

        Raises:
            UnknownRun
            RunBusy: a session of this process drives the run, or another process owns it and may be alive.
        """
        return self._database.write(lambda connection: runs.delete(connection, name, self._driven.includes))

    # Individuals, evaluations and winners, for the driver of a run

    def add_individuals(self, run_id: int, kind: str, records: Sequence[Individual]) -> None:
        """Adds individuals with their genomes and parents.

        Raises:
            RecordConflict: a birth is recorded already, or a parent or ``cached_from`` is no earlier birth.
            InvalidRecord: a value cannot be stored, or the parents do not suit the operator.
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

        self._add(add, f"births {_births_text(records)} of run {run_id}")

    def add_evaluations(
        self,
        run_id: int,
        records: Sequence[EvaluationRecord],
        seconds: float = 0.0,
        winners: Sequence[Winner] = (),
        snapshot: Snapshot | None = None,
    ) -> None:
        """Adds evaluations, the winners of the blocks that they complete, and ``seconds`` of driver time to the run.

        The snapshot, if there is one, replaces the run's last.

        Raises:
            RecordConflict: an evaluation or the winner of a block is recorded already, or a birth is not recorded.
            InvalidRecord: a value cannot be stored, a status is unknown, or a fitness is not finite or not of an ok
                outcome.
        """
        evaluations = to_rows.evaluation_rows(run_id, records)
        winner_rows = to_rows.winner_rows(run_id, winners)

        def add(connection: Connection) -> None:
            if evaluations:
                connection.execute(insert(evaluation), evaluations)
            _insert_winners(connection, winner_rows)
            _replace_snapshot(connection, run_id, snapshot)
            if seconds:
                connection.execute(update(run).where(run.c.id == run_id).values(seconds=run.c.seconds + seconds))

        self._add(add, f"evaluations for births {_births_text(records)} of run {run_id}")

    def add_winners(self, run_id: int, winners: Sequence[Winner], snapshot: Snapshot | None = None) -> None:
        """Adds the winners of blocks whose outcomes are recorded. The snapshot, if any, replaces the run's last.

        Raises:
            RecordConflict: the winner of a block is recorded already, or its birth is not recorded.
        """
        rows = to_rows.winner_rows(run_id, winners)
        blocks = ", ".join(str(record.block) for record in winners) or "none"

        def add(connection: Connection) -> None:
            _insert_winners(connection, rows)
            _replace_snapshot(connection, run_id, snapshot)

        self._add(add, f"winners of blocks {blocks} of run {run_id}")

    def snapshot(self, run_id: int) -> Snapshot | None:
        """The latest snapshot of a run; None if there is none."""
        query = select(*from_rows.columns_of(Snapshot, snapshot_table)).where(snapshot_table.c.run_id == run_id)
        rows = self._database.read(lambda connection: from_rows.fetch(connection.execute(query)))
        return next((from_rows.snapshot_record(row) for row in rows), None)

    def individuals(self, run_id: int, first: int = 0) -> Iterator[Individual]:
        """All individuals of a run from birth ``first`` on, in order of birth."""
        after = first - 1
        while page := self._database.read(lambda connection: lineage.page(connection, run_id, after, _PAGE)):  # noqa: B023
            for record in page:
                if record.birth <= after:
                    raise unreadable_row(f"birth {record.birth}", f"it comes after birth {after}")
                after = record.birth
                yield record

    def evaluations(self, run_id: int) -> Iterator[EvaluationRecord]:
        """All evaluations of a run, in the order of recording."""
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
                row_id = row.pop()
                if row_id <= after:
                    raise unreadable_row(f"evaluation {row_id}", f"it comes after evaluation {after}")
                after = row_id
                yield from_rows.evaluation_record(row, kind)
            if after == before:
                return

    def frame(self, run_name: str, library: Library = "pandas") -> Any:
        """The individuals of a run with their outcomes, as a table of pandas or polars with a row for each birth.

        Columns: see ``germline.db.frame.columns_of_individuals``. Reviews are not in it.

        Args:
            run_name: the name of the run.
            library: ``pandas`` (``pip install 'germline[frames]'``) or ``polars``, which must be installed.

        Raises:
            UnknownRun
            Unsupported: there is no such library, or it is not installed.
        """
        package = frame_package(library)
        run = self.run(run_name)
        outcomes = {
            record.fingerprint: record
            for record in self.evaluations(run.id)
            if (record.task, record.rung, record.seed) == (run.task, 0, 0)
        }
        return frame(columns_of_individuals(self.individuals(run.id), outcomes), package)

    def individuals_of(self, run_id: int, births: Sequence[int]) -> Iterator[Individual]:
        """The individuals of some births, in any order; a birth that is not recorded is left out."""
        for start in range(0, len(births), _CHUNK):
            chunk = births[start : start + _CHUNK]
            yield from self._database.read(lambda connection: lineage.of_births(connection, run_id, chunk))  # noqa: B023

    def evaluations_of(self, run_id: int, task: str, fingerprints: Sequence[str]) -> Iterator[EvaluationRecord]:
        """All evaluations of some fingerprints on a task in a run, in any order."""
        kind = self._database.read(lambda connection: runs.kind_of(connection, run_id))
        for start in range(0, len(fingerprints), _CHUNK):
            wanted = evaluation.c.fingerprint.in_(fingerprints[start : start + _CHUNK])
            query = select(*lineage.EVALUATION_COLUMNS).where(
                evaluation.c.run_id == run_id, wanted, evaluation.c.task == task
            )
            rows = self._database.read(lambda connection: from_rows.fetch(connection.execute(query)))  # noqa: B023
            for row in rows:
                yield from_rows.evaluation_record(row, kind)

    # Proposals of operators from outside

    def add_proposal(self, run_id: int, record: ProposalRecord) -> None:
        """Adds a proposal for a birth that may not be recorded yet.

        Raises:
            RecordConflict: a proposal for the birth is recorded at this position already.
            InvalidRecord: the status is unknown, or a count is negative or does not fit.
        """
        rows = proposals.rows(run_id, record)
        self._add(lambda connection: proposals.add(connection, *rows), f"a proposal for birth {record.birth}")

    def proposals(self, run_id: int, first: int, last: int) -> list[ProposalRecord]:
        """The proposals for the births from ``first`` to ``last``, in the order of births and positions."""
        return self._database.read(lambda connection: proposals.of_births(connection, run_id, first, last))

    def refused_proposals(self, run_id: int, before: int, most: int) -> list[ProposalRecord]:
        """The last proposals, at most ``most``, for births below ``before`` that were invalid or known."""
        return self._database.read(lambda connection: proposals.refused(connection, run_id, before, most))

    def proposal_totals(self, run_id: int, before: int) -> list[ProposalTotals]:
        """The calls and tokens of each operator from outside for births below ``before``."""
        return self._database.read(lambda connection: proposals.totals(connection, run_id, before))

    # Queries by the name of a run

    def individual(self, run_name: str, birth: int) -> ScoredIndividual:
        """The individual of this birth, with its outcome.

        Raises:
            UnknownRun: no run has that name.
            UnknownBirth: the run has no such birth.
        """

        def read(connection: Connection) -> ScoredIndividual:
            row = runs.row_of(connection, run_name)
            scored = lineage.scored_individual(connection, row, birth) if 0 <= birth < 1 << 31 else None
            if scored is None:
                raise _unknown_birth(connection, row, birth)
            return scored

        return self._database.read(read)

    def best(self, run_name: str) -> ScoredIndividual:
        """The best individual, with its outcome.

        Raises:
            UnknownRun: no run has that name.
            NothingScored: no outcome is ok.
        """
        best = self.top(run_name, 1)
        if not best:
            raise NothingScored(f"run {run_name!r} has no ok outcome yet: `germline runs` shows its progress")
        return best[0]

    def top(self, run_name: str, n: int | None = None) -> list[ScoredIndividual]:
        """The ``n`` best individuals with an ok outcome (None: all), best first, without cache hits.

        Raises:
            UnknownRun: no run has that name.
        """
        return self._database.read(lambda connection: lineage.top(connection, runs.row_of(connection, run_name), n))

    def winner(self, run_name: str) -> ScoredIndividual | None:
        """The latest winner with its outcome; None if no winner is recorded, or no outcome was ok by then.

        ``germline.search.winner`` also answers for a run whose winners are not recorded.

        Raises:
            UnknownRun: no run has that name.
        """
        return self._database.read(lambda connection: lineage.winner(connection, runs.row_of(connection, run_name)))

    def winners(self, run_name: str, first: int = 0) -> Mapping[int, int | None]:
        """The recorded winners: from block ``first`` on, the number of each complete block, in order, with the birth of
        the winner after it; None if no outcome was ok by then.

        Empty if the run's winners are not recorded; ``germline.search.winner.winners`` derives those.

        Raises:
            UnknownRun: no run has that name.
        """
        return self._database.read(
            lambda connection: lineage.winners(connection, runs.row_of(connection, run_name), first)
        )

    def block(self, run_name: str, number: int | None = None) -> list[ScoredIndividual]:
        """The individuals of block ``number``, in order of birth; None: of the last block up to which all births have
        an outcome. Empty if there is no such block.

        Raises:
            UnknownRun: no run has that name.
        """

        def read(connection: Connection) -> list[ScoredIndividual]:
            return lineage.block(connection, runs.row_of(connection, run_name), number)

        return self._database.read(read)

    def scores(self, run_name: str, measure: str) -> RunScores:
        """The scores of all births and all reviews of a run, read in one transaction: the data of a learning curve.

        Args:
            run_name: the name of the run.
            measure: the only measure to read from the outcomes of births, which can have hundreds of measures.

        Raises:
            UnknownRun: no run has that name.
        """

        def read(connection: Connection) -> RunScores:
            row = runs.row_of(connection, run_name)
            births = lineage.birth_scores(connection, row, measure)
            return RunScores(from_rows.run_record(row), tuple(births), tuple(lineage.review_scores(connection, row)))

        return self._database.read(read)

    def reviews(self, run_id: int, fingerprint: str) -> list[EvaluationRecord]:
        """All evaluations of a fingerprint in a run, its outcome included, ordered by task, rung and seed."""
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
            UnknownRun: no run has that name.
            UnknownBirth: the run has no such birth.
        """

        def read(connection: Connection) -> list[ScoredIndividual]:
            row = runs.row_of(connection, run_name)
            ancestors = lineage.ancestry(connection, row, birth) if 0 <= birth < 1 << 31 else []
            if not ancestors:
                raise _unknown_birth(connection, row, birth)
            return ancestors

        return self._database.read(read)

    def mean_seconds(self, run_name: str) -> float:
        """Mean duration of an evaluation at rung 0, in seconds; 0.0 if there is none.

        Raises:
            UnknownRun: no run has that name.
        """

        def read(connection: Connection) -> float:
            mean = select(func.avg(evaluation.c.seconds))
            here = (evaluation.c.run_id == runs.row_of(connection, run_name).id, evaluation.c.rung == 0)
            return float(connection.scalar(mean.where(*here)) or 0.0)

        return self._database.read(read)

    def failures(self, run_name: str) -> Mapping[str, int]:
        """Number of evaluations by status, without ok and without statuses that do not occur.

        Raises:
            UnknownRun: no run has that name.
        """

        def read(connection: Connection) -> dict[str, int]:
            row = runs.row_of(connection, run_name)
            counts = (
                select(evaluation.c.status, func.count())
                .where(evaluation.c.run_id == row.id, evaluation.c.status != "ok")
                .group_by(evaluation.c.status)
                .order_by(evaluation.c.status)
            )
            return {row[0]: row[1] for row in connection.execute(counts)}

        return self._database.read(read)

    # Columns of a run, for pictures of very many births

    def birth_columns(self, run_name: str, first: int = 0) -> list[columns.BirthRow]:
        """The births of a run from ``first`` on, in their order, without their genomes.

        Raises:
            UnknownRun
        """
        return self._database.read(
            lambda connection: columns.births(connection, runs.row_of(connection, run_name), first)
        )

    def evaluation_columns(self, run_name: str, after: int = 0) -> list[columns.EvaluationRow]:
        """The evaluations of a run with an id above ``after``, in the order of recording, without their measures.

        Raises:
            UnknownRun
        """
        return self._database.read(
            lambda connection: columns.evaluations(connection, runs.row_of(connection, run_name), after)
        )

    def score_columns(self, run_name: str, after: int = 0) -> list[columns.ScoreRow]:
        """The ok outcomes of a run with an id above ``after``: id, birth and fitness, in any order.

        Raises:
            UnknownRun
        """
        return self._database.read(
            lambda connection: columns.scores(connection, runs.row_of(connection, run_name), after)
        )

    def parent_columns(self, run_name: str) -> list[columns.ParentRow]:
        """Each birth that has a parent, and its first parent, in the order of births.

        Raises:
            UnknownRun
        """
        return self._database.read(lambda connection: columns.parents(connection, runs.row_of(connection, run_name)))

    def hit_columns(self, run_name: str) -> list[columns.HitRow]:
        """Each cache hit, and the birth whose outcome it shares, in the order of births.

        Raises:
            UnknownRun
        """
        return self._database.read(lambda connection: columns.hits(connection, runs.row_of(connection, run_name)))

    def children(self, run_name: str, birth: int) -> list[int]:
        """The births of which ``birth`` is a parent, the first or another, in their order.

        Raises:
            UnknownRun
        """
        return self._database.read(
            lambda connection: columns.children(connection, runs.row_of(connection, run_name), birth)
        )

    def objective_columns(self, run_name: str) -> list[tuple[int, Mapping[str, float]]]:
        """The birth and the objectives of each ok outcome of a run, in any order.

        Raises:
            UnknownRun
        """
        return self._database.read(lambda connection: columns.objectives(connection, runs.row_of(connection, run_name)))

    def review_scores(self, run_name: str) -> list[ReviewScore]:
        """All reviews on the run's own task, in the order of recording.

        Raises:
            UnknownRun
        """
        return self._database.read(
            lambda connection: lineage.review_scores(connection, runs.row_of(connection, run_name))
        )

    def last_recorded(self, run_name: str) -> columns.LastRecorded:
        """What was recorded of a run at last: a birth, an evaluation and a winner.

        Raises:
            UnknownRun
        """
        return self._database.read(lambda connection: columns.last(connection, runs.row_of(connection, run_name)))

    def failure_counts(self, run_name: str) -> list[columns.FailureCount]:
        """The errors of failures on the run's own task, the most frequent first.

        Raises:
            UnknownRun
        """
        return self._database.read(lambda connection: columns.failures(connection, runs.row_of(connection, run_name)))

    def scored(self, run_name: str, births: Sequence[int]) -> list[ScoredIndividual]:
        """The individuals of some births with their outcomes, in order of birth; a birth that is not recorded is left
        out.

        Raises:
            UnknownRun
        """
        wanted = sorted(set(births))
        found: list[ScoredIndividual] = []
        for start in range(0, len(wanted), _CHUNK):
            chunk = wanted[start : start + _CHUNK]
            found += self._database.read(
                lambda connection: lineage.scored_of(connection, runs.row_of(connection, run_name), chunk)  # noqa: B023
            )
        return found

    # Stop requests and exported files

    def request_stop(self, run_name: str) -> None:
        """Asks the driver of a run to stop.

        Raises:
            UnknownRun: no run has that name.
        """

        def add(connection: Connection) -> None:
            values = {"request": "stop", "created": to_rows.now(), "handled": False}
            connection.execute(insert(control).values(run_id=runs.row_of(connection, run_name).id, **values))

        self._database.write(add)

    def stop_requested(self, run_id: int) -> bool:
        """True if a request to stop the run has not been handled yet."""
        query = select(exists().where(control.c.run_id == run_id, ~control.c.handled))
        return self._database.read(lambda connection: bool(connection.scalar(query)))

    def handle_requests(self, run_id: int) -> None:
        """Marks all requests to stop a run as handled."""
        mark = update(control).where(control.c.run_id == run_id, ~control.c.handled).values(handled=True)
        self._database.write(lambda connection: connection.execute(mark) and None)

    def add_artifact(self, run_name: str, birth: int, target: str, path: str, sha256: str) -> None:
        """Records that an individual was exported for ``target`` to the file ``path`` with the hash ``sha256``.

        Raises:
            UnknownRun: no run has that name.
            RecordConflict: the run has no such birth.
            InvalidRecord: a value cannot be stored.
        """
        values = {
            "birth": to_rows.checked_integer(birth, "a birth", bits=32),
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
            UnknownRun: no run has that name.
        """

        def read(connection: Connection) -> list[ArtifactRecord]:
            columns = from_rows.columns_of(ArtifactRecord, artifact)
            run_id = runs.row_of(connection, run_name).id
            query = select(*columns).where(artifact.c.run_id == run_id).order_by(artifact.c.id)
            return [from_rows.artifact_record(row) for row in from_rows.fetch(connection.execute(query))]

        return self._database.read(read)

    # Simplified programs

    def add_simplified(
        self, run_name: str, birth: int, genome_text: str, fingerprint: str, steps: Mapping[str, Any]
    ) -> bool:
        """Records what an individual became by simplification. Returns False, and records nothing, if the latest record
        of the individual has the same genome and the same steps.

        Raises:
            UnknownRun: no run has that name.
            RecordConflict: the run has no such birth.
            InvalidRecord: a value cannot be stored.
        """
        values = {
            "birth": to_rows.checked_integer(birth, "a birth", bits=32),
            "fingerprint": to_rows.checked_text(fingerprint, "a fingerprint"),
            "steps": exact_json.dump_plain(steps, "the steps of a simplification"),
            "created": to_rows.now(),
        }
        to_rows.checked_text(genome_text, "a simplified genome")
        added = False

        def add(connection: Connection) -> None:
            nonlocal added
            row = runs.row_of(connection, run_name)
            key = to_rows.digest(row.kind, genome_text)
            latest = connection.execute(
                select(simplified.c.genome, simplified.c.steps)
                .where(simplified.c.run_id == row.id, simplified.c.birth == values["birth"])
                .order_by(simplified.c.id.desc())
                .limit(1)
            ).all()
            added = [tuple(record) for record in latest] != [(key, values["steps"])]
            if added:
                of_genome = {"digest": key, "kind": row.kind, "fingerprint": fingerprint, "text": genome_text}
                connection.execute(_dialect(connection).insert(genome).on_conflict_do_nothing(), [of_genome])
                connection.execute(insert(simplified).values(run_id=row.id, genome=key, **values))

        self._add(add, f"what birth {birth} of run {run_name!r} became by simplification")
        return added

    def simplified(self, run_name: str, birth: int) -> SimplifiedRecord | None:
        """What an individual became by its latest simplification; None if none is recorded.

        Raises:
            UnknownRun: no run has that name.
        """

        def read(connection: Connection) -> SimplifiedRecord | None:
            columns = from_rows.columns_of(SimplifiedRecord, simplified, genome=genome.c.text)
            query = (
                select(*columns)
                .join(genome, genome.c.digest == simplified.c.genome)
                .where(simplified.c.run_id == runs.row_of(connection, run_name).id, simplified.c.birth == birth)
                .order_by(simplified.c.id.desc())
                .limit(1)
            )
            rows = from_rows.fetch(connection.execute(query))
            return next((from_rows.simplified_record(row) for row in rows), None)

        return self._database.read(read)

    # Tuned comparisons

    def add_trainings(self, task: str, version: str, rung: int, records: Sequence[TrainingRecord]) -> None:
        """Records trainings of tuned comparisons; one that is recorded already stays as it is.

        Args:
            task: the full name of the task.
            version: of all that decides the numbers.
            rung: of the task.
            records: at least one.

        Raises:
            InvalidRecord: a value cannot be stored.
        """
        new = trainings.rows(task, version, rung, records)
        self._add(lambda connection: trainings.add(connection, new), "trainings")

    def trainings(
        self, task: str, version: str, rung: int, keys: Sequence[tuple[str, int]]
    ) -> dict[tuple[str, int], TrainingRecord]:
        """The recorded trainings among those with the given texts and seeds."""
        return self._database.read(lambda connection: trainings.find(connection, task, version, rung, keys))

    def add_verdict(self, run_name: str, birth: int, content: Mapping[str, Any]) -> None:
        """Records what a tuned comparison has found of an individual.

        Raises:
            UnknownRun: no run has that name.
            RecordConflict: the run has no such birth.
            InvalidRecord: a value cannot be stored.
        """
        values = {
            "birth": to_rows.checked_integer(birth, "a birth", bits=32),
            "content": exact_json.dump_plain(content, "a verdict"),
            "created": to_rows.now(),
        }

        def add(connection: Connection) -> None:
            connection.execute(insert(verdict).values(run_id=runs.row_of(connection, run_name).id, **values))

        self._add(add, f"a verdict on birth {birth} of run {run_name!r}")

    def verdict(self, run_name: str, birth: int) -> VerdictRecord | None:
        """The latest verdict on an individual; None if none is recorded.

        Raises:
            UnknownRun: no run has that name.
        """

        def read(connection: Connection) -> VerdictRecord | None:
            query = (
                select(*from_rows.columns_of(VerdictRecord, verdict))
                .where(verdict.c.run_id == runs.row_of(connection, run_name).id, verdict.c.birth == birth)
                .order_by(verdict.c.id.desc())
                .limit(1)
            )
            rows = from_rows.fetch(connection.execute(query))
            return next((from_rows.verdict_record(row) for row in rows), None)

        return self._database.read(read)

    # The database itself

    def check(self) -> list[str]:
        """The broken invariants of the database, one line each; empty if it is sound."""
        try:
            return self._database.read(check.problems)
        except DamagedDatabase as error:
            return [str(error)]

    def backup(self, path: str | Path) -> None:
        """Copies the database to a new file. Runs may go on meanwhile; if copying fails, no file remains.

        Raises:
            BackupRefused: the file exists or cannot be written.
            DiskFull: there is no room for the copy.
            Unsupported: the database is on a server.
        """
        if not isinstance(self._location, SqliteFile):
            raise Unsupported(f"{self._location} is on a server: back it up with `pg_dump`")
        sqlite_file.copy(self._location.path, Path(path).absolute())

    def _add(self, add: Callable[[Connection], None], what: str) -> None:
        try:
            self._database.write(add)
        except RecordConflict as error:
            raise RecordConflict(f"{what}: recorded already, or referring to a missing birth ({error})") from error


def _insert_winners(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Adds rows of ``winner``; a closing replaces an earlier closing after the same block."""
    of_blocks = [row for row in rows if not row["closing"]]
    if of_blocks:
        connection.execute(insert(winner), of_blocks)
    for row in rows:
        if row["closing"]:
            add = _dialect(connection).insert(winner).values(**row)
            keys = [winner.c.run_id, winner.c.block, winner.c.closing]
            connection.execute(add.on_conflict_do_update(index_elements=keys, set_={"birth": add.excluded.birth}))


def _replace_snapshot(connection: Connection, run_id: int, snapshot: Snapshot | None) -> None:
    if snapshot is None:
        return
    add = _dialect(connection).insert(snapshot_table)
    add = add.values(run_id=run_id, block=snapshot.block, content=snapshot.content)
    replaced = {"block": add.excluded.block, "content": add.excluded.content}
    connection.execute(add.on_conflict_do_update(index_elements=[snapshot_table.c.run_id], set_=replaced))


def _dialect(connection: Connection) -> Any:
    """The module whose ``insert`` supports ``ON CONFLICT`` in the dialect of the connection."""
    return postgresql if connection.dialect.name == "postgresql" else sqlite


def _unknown_birth(connection: Connection, row: Row[Any], birth: int) -> UnknownBirth:
    count = lineage.birth_count(connection, row.id)
    has = f"has births 0 to {count - 1}" if count else "has no births yet"
    return UnknownBirth(f"run {row.name!r} {has}, got {birth}")


def _births_text(records: Sequence[Individual] | Sequence[EvaluationRecord]) -> str:
    births = [record.birth for record in records]
    return f"{min(births)} to {max(births)}" if births else "none"
