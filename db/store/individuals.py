"""Individuals with their outcomes, as readers ask for them: by birth, rank, block, ancestry, or as winners."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, select

from germline.db import columns, from_rows, lineage, runs
from germline.db.errors import NothingScored, UnknownBirth
from germline.db.genomes.reading import GenomeTexts
from germline.db.records import EvaluationRecord, ScoredIndividual
from germline.db.schema import evaluation
from germline.db.store.base import CHUNK, BaseStore


class IndividualStore(BaseStore):
    """The part of the store for single individuals and lists of them. Most of the SQL is in `germline.db.lineage`."""

    def individual(self, run_name: str, birth: int) -> ScoredIndividual:
        """The individual of this birth, with its outcome.

        Raises:
            UnknownRun: no run has that name.
            UnknownBirth: the run has no such birth.
        """

        def read(connection: Connection, row: Row[Any]) -> ScoredIndividual:
            scored = lineage.scored_individual(connection, row, birth) if 0 <= birth < 1 << 31 else None
            if scored is None:
                raise _unknown_birth(connection, row, birth)
            return scored

        return self._read_run(run_name, read)

    def scored(self, run_name: str, births: Sequence[int]) -> list[ScoredIndividual]:
        """The individuals of some births with their outcomes, in order of birth; a birth that is not recorded is left
        out.

        Raises:
            UnknownRun: no run has that name.
        """
        wanted = sorted(set(births))
        texts = GenomeTexts(kept=True)
        scored: list[ScoredIndividual] = []
        for start in range(0, len(wanted), CHUNK):
            scored += self._read_run(run_name, lineage.scored_of, wanted[start : start + CHUNK], texts)
        return scored

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
        return self._read_run(run_name, lineage.top, n)

    def winner(self, run_name: str) -> ScoredIndividual | None:
        """The latest winner with its outcome; None if no winner is recorded, or no outcome was ok by then.

        ``germline.search.winner`` also answers for a run whose winners are not recorded.

        Raises:
            UnknownRun: no run has that name.
        """
        return self._read_run(run_name, lineage.winner)

    def winners(self, run_name: str, first: int = 0) -> Mapping[int, int | None]:
        """The recorded winners: from block ``first`` on, the number of each complete block, in order, with the birth of
        the winner after it; None if no outcome was ok by then.

        Empty if the run's winners are not recorded; ``germline.search.winner.winners`` derives those.

        Raises:
            UnknownRun: no run has that name.
        """
        return self._read_run(run_name, lineage.winners, first)

    def block(self, run_name: str, number: int | None = None) -> list[ScoredIndividual]:
        """The individuals of block ``number``, in order of birth; None: of the last block up to which all births have
        an outcome. Empty if there is no such block.

        Raises:
            UnknownRun: no run has that name.
        """
        return self._read_run(run_name, lineage.block, number)

    def lineage(self, run_name: str, birth: int) -> list[ScoredIndividual]:
        """An individual and all its ancestors, oldest first.

        Raises:
            UnknownRun: no run has that name.
            UnknownBirth: the run has no such birth.
        """

        def read(connection: Connection, row: Row[Any]) -> list[ScoredIndividual]:
            ancestors = lineage.ancestry(connection, row, birth) if 0 <= birth < 1 << 31 else []
            if not ancestors:
                raise _unknown_birth(connection, row, birth)
            return ancestors

        return self._read_run(run_name, read)

    def children(self, run_name: str, birth: int) -> list[int]:
        """The births of which ``birth`` is a parent, the first or another, in their order.

        Raises:
            UnknownRun: no run has that name.
        """
        return self._read_run(run_name, columns.children, birth)

    def reviews(self, run_id: int, fingerprint: str) -> list[EvaluationRecord]:
        """All evaluations of a fingerprint in a run, its outcome included, ordered by task, rung and seed."""
        query = (
            select(*lineage.EVALUATION_COLUMNS)
            .where(evaluation.c.run_id == run_id, evaluation.c.fingerprint == fingerprint)
            .order_by(evaluation.c.task, evaluation.c.rung, evaluation.c.seed)
        )
        kind, rows = self._read(
            lambda connection: (runs.kind_of(connection, run_id), from_rows.fetch(connection.execute(query)))
        )
        return [from_rows.evaluation_record(row, kind) for row in rows]


def _unknown_birth(connection: Connection, row: Row[Any], birth: int) -> UnknownBirth:
    count = lineage.birth_count(connection, row.id)
    has = f"has births 0 to {count - 1}" if count else "has no births yet"
    return UnknownBirth(f"run {row.name!r} {has}, got {birth}")
