"""All that was recorded of a run, read back: by a search that resumes it or replays it, or as a table."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from sqlalchemy import Connection, Select, select

from germline.db import from_rows, lineage, runs
from germline.db.errors import unreadable_row
from germline.db.frame import Library, columns_of_individuals, frame, frame_package
from germline.db.genomes.reading import GenomeTexts
from germline.db.records import EvaluationRecord, Individual, Snapshot
from germline.db.schema import evaluation, snapshot
from germline.db.store.base import CHUNK, BaseStore

_PAGE: Final = 5000
"""Rows that are read in a transaction: an iterator holds none between its items, so it reads page after page."""


class HistoryStore(BaseStore):
    """The part of the store that reads back what `RecordingStore` records, for runs of any length."""

    def individuals(self, run_id: int, first: int = 0, kept: bool = False) -> Iterator[Individual]:
        """All individuals of a run from birth ``first`` on, in order of birth. ``kept`` says that the caller keeps them
        all in memory.

        Raises:
            GenomesTooLong: the genomes have more text than memory, or else time, allows.
        """
        texts = GenomeTexts(kept)
        last, after = None, first - 1
        while last != after:
            last = after
            for record in self._read(lineage.page, run_id, after, _PAGE, texts):
                if record.birth <= after:
                    raise unreadable_row(f"birth {record.birth}", f"it comes after birth {after}")
                after = record.birth
                yield record

    def individuals_of(self, run_id: int, births: Sequence[int]) -> Iterator[Individual]:
        """The individuals of some births, in any order; a birth that is not recorded is left out.

        Raises:
            GenomesTooLong: the genomes have more text than memory allows.
        """
        texts = GenomeTexts(kept=True)
        for start in range(0, len(births), CHUNK):
            yield from self._read(lineage.of_births, run_id, births[start : start + CHUNK], texts)

    def evaluations(self, run_id: int) -> Iterator[EvaluationRecord]:
        """All evaluations of a run, in the order of recording."""
        kind = self._read(runs.kind_of, run_id)
        after = 0
        while True:
            query = (
                select(*lineage.EVALUATION_COLUMNS, evaluation.c.id)
                .where(evaluation.c.run_id == run_id, evaluation.c.id > after)
                .order_by(evaluation.c.id)
                .limit(_PAGE)
            )
            before = after
            for row in self._read(_rows, query):
                row_id = row.pop()
                if row_id <= after:
                    raise unreadable_row(f"evaluation {row_id}", f"it comes after evaluation {after}")
                after = row_id
                yield from_rows.evaluation_record(row, kind)
            if after == before:
                return

    def evaluations_of(self, run_id: int, task: str, fingerprints: Sequence[str]) -> Iterator[EvaluationRecord]:
        """All evaluations of some fingerprints on a task in a run, in any order."""
        kind = self._read(runs.kind_of, run_id)
        for start in range(0, len(fingerprints), CHUNK):
            wanted = evaluation.c.fingerprint.in_(fingerprints[start : start + CHUNK])
            query = select(*lineage.EVALUATION_COLUMNS).where(
                evaluation.c.run_id == run_id, wanted, evaluation.c.task == task
            )
            for row in self._read(_rows, query):
                yield from_rows.evaluation_record(row, kind)

    def snapshot(self, run_id: int) -> Snapshot | None:
        """The latest snapshot of a run; None if there is none."""
        query = select(*from_rows.columns_of(Snapshot, snapshot)).where(snapshot.c.run_id == run_id)
        return next((from_rows.snapshot_record(row) for row in self._read(_rows, query)), None)

    def frame(self, run_name: str, library: Library = "pandas") -> Any:
        """The individuals of a run with their outcomes, as a table of pandas or polars with a row for each birth.

        Columns: see ``germline.db.frame.columns_of_individuals``. Reviews are not in it.

        Args:
            run_name: the name of the run.
            library: ``pandas`` (``pip install 'germline[frames]'``) or ``polars``, which must be installed.

        Raises:
            UnknownRun: no run has that name.
            Unsupported: there is no such library, or it is not installed.
            GenomesTooLong: the genomes have more text than memory allows.
        """
        package = frame_package(library)
        run = self._read_run(run_name, lambda connection, row: from_rows.run_record(row))
        outcomes = {
            record.fingerprint: record
            for record in self.evaluations(run.id)
            if (record.task, record.rung, record.seed) == (run.task, 0, 0)
        }
        return frame(columns_of_individuals(self.individuals(run.id, kept=True), outcomes), package)


def _rows(connection: Connection, query: Select[Any]) -> Iterator[from_rows.Values]:
    """The rows of a query, fetched at once."""
    return from_rows.fetch(connection.execute(query))
