"""What the driver of a run records while it searches: births, their evaluations, winners and snapshots."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, bindparam, select, update

from germline.db import to_rows
from germline.db.conflicts import insert_into
from germline.db.genomes.writing import NewGenome, add_genomes
from germline.db.insertion import insert_rows
from germline.db.records import EvaluationRecord, Individual, Snapshot, Winner
from germline.db.schema import evaluation, individual, parentage, rejection, run, snapshot, winner
from germline.db.store.base import CHUNK, BaseStore

Rows = Sequence[Mapping[str, Any]]
"""Rows of a table: a value for each column, by its name."""


_DIGESTS: Final = select(individual.c.birth, individual.c.genome).where(
    individual.c.run_id == bindparam("run"), individual.c.birth.in_(bindparam("births", expanding=True))
)

# Statements that each block needs are made once, since that takes longer than to execute them.
_ADD_SECONDS: Final = update(run).where(run.c.id == bindparam("run")).values(seconds=run.c.seconds + bindparam("spent"))


class RecordingStore(BaseStore):
    """The part of the store for what the driver of a run records. `HistoryStore` reads it back."""

    def add_individuals(self, run_id: int, kind: str, records: Sequence[Individual]) -> None:
        """Adds individuals with their genomes and parents. ``kind`` is the kind of the run.

        A loss of power before their outcomes are recorded may take them: they follow from earlier rows, and are bred
        again. So a block waits for the disk once, which takes a fast search about as long as to breed it.

        Raises:
            RecordConflict: a birth is recorded already, or a parent or ``cached_from`` is no earlier birth.
            InvalidRecord: a value cannot be stored, or the parents do not suit the operator.
        """
        digests = to_rows.genome_digests(kind, records)
        ordered = sorted(zip(records, digests, strict=True), key=lambda each: each[0].birth)
        individuals = to_rows.individual_rows(run_id, records, digests)
        parents = to_rows.parentage_rows(run_id, records)
        rejections = to_rows.rejection_rows(run_id, records)

        def add(connection: Connection) -> None:
            if individuals:
                add_genomes(connection, kind, _new_genomes(connection, run_id, ordered), self._recent_texts)
            insert_rows(connection, individual, individuals)
            insert_rows(connection, parentage, parents)
            insert_rows(connection, rejection, rejections)

        self._add_rows(f"births {_births_text(records)} of run {run_id}", add, synced=False)

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
            insert_rows(connection, evaluation, evaluations)
            _add_winners(connection, winner_rows)
            _replace_snapshot(connection, run_id, snapshot)
            if seconds:
                connection.execute(_ADD_SECONDS, {"run": run_id, "spent": seconds})

        self._add(f"evaluations for births {_births_text(records)} of run {run_id}", add)

    def add_winners(self, run_id: int, winners: Sequence[Winner], snapshot: Snapshot | None = None) -> None:
        """Adds the winners of blocks whose outcomes are recorded. The snapshot, if any, replaces the run's last.

        Raises:
            RecordConflict: the winner of a block is recorded already, or its birth is not recorded.
        """
        rows = to_rows.winner_rows(run_id, winners)
        blocks = ", ".join(str(record.block) for record in winners) or "none"

        def add(connection: Connection) -> None:
            _add_winners(connection, rows)
            _replace_snapshot(connection, run_id, snapshot)

        self._add(f"winners of blocks {blocks} of run {run_id}", add)


def _new_genomes(connection: Connection, run_id: int, records: Sequence[tuple[Individual, str]]) -> list[NewGenome]:
    """The genomes of individuals and digests, in order of birth, each with that of its first parent."""
    digests = {record.birth: digest for record, digest in records}
    elsewhere = {record.parents[0] for record, _ in records if record.parents and record.parents[0] not in digests}
    digests |= _digests_of(connection, run_id, sorted(elsewhere))
    return [
        NewGenome(digest, record.fingerprint, record.genome, digests.get(record.parents[0]) if record.parents else None)
        for record, digest in records
    ]


def _digests_of(connection: Connection, run_id: int, births: Sequence[int]) -> dict[int, str]:
    """The digests of the genomes of some births of a run; a birth that is not recorded is left out."""
    found: dict[int, str] = {}
    for start in range(0, len(births), CHUNK):
        values = {"run": run_id, "births": births[start : start + CHUNK]}
        found.update((row.birth, row.genome) for row in connection.execute(_DIGESTS, values))
    return found


def _add_winners(connection: Connection, rows: Rows) -> None:
    """Adds rows of ``winner``; a closing replaces an earlier closing after the same block."""
    insert_rows(connection, winner, [row for row in rows if not row["closing"]])
    for row in rows:
        if row["closing"]:
            add = insert_into(connection, winner).values(**row)
            keys = [winner.c.run_id, winner.c.block, winner.c.closing]
            connection.execute(add.on_conflict_do_update(index_elements=keys, set_={"birth": add.excluded.birth}))


def _replace_snapshot(connection: Connection, run_id: int, latest: Snapshot | None) -> None:
    """Makes a snapshot the only one of the run; None: the run keeps the one it has."""
    if latest is None:
        return
    add = insert_into(connection, snapshot).values(run_id=run_id, block=latest.block, content=latest.content)
    replaced = {"block": add.excluded.block, "content": add.excluded.content}
    connection.execute(add.on_conflict_do_update(index_elements=[snapshot.c.run_id], set_=replaced))


def _births_text(records: Sequence[Individual] | Sequence[EvaluationRecord]) -> str:
    births = [record.birth for record in records]
    return f"{min(births)} to {max(births)}" if births else "none"
