"""Scores, counts and columns over all births of a run, for charts and statistics."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Row, func, select

from germline.db import columns, from_rows, lineage
from germline.db.records import ReviewScore, RunScores
from germline.db.schema import evaluation
from germline.db.store.base import BaseStore


class ChartStore(BaseStore):
    """The part of the store that reads numbers of whole runs, but no genomes.

    The methods whose names end in ``_columns`` return plain tuples, fast enough for a million births; what is in a
    tuple is said at its type in `germline.db.columns`, which has most of the SQL.
    """

    def scores(self, run_name: str, measure: str) -> RunScores:
        """The scores of all births and all reviews of a run, read in one transaction: the data of a learning curve.

        Args:
            run_name: the name of the run.
            measure: the only measure to read from the outcomes of births, which can have hundreds of measures.

        Raises:
            UnknownRun: no run has that name.
        """

        def read(connection: Connection, row: Row[Any]) -> RunScores:
            births = lineage.birth_scores(connection, row, measure)
            return RunScores(from_rows.run_record(row), tuple(births), tuple(lineage.review_scores(connection, row)))

        return self._read_run(run_name, read)

    def review_scores(self, run_name: str) -> list[ReviewScore]:
        """All reviews on the run's own task, in the order of recording.

        Raises:
            UnknownRun: no run has that name.
        """
        return self._read_run(run_name, lineage.review_scores)

    def mean_seconds(self, run_name: str) -> float:
        """Mean duration of an evaluation at rung 0, in seconds; 0.0 if there is none.

        Raises:
            UnknownRun: no run has that name.
        """

        def read(connection: Connection, row: Row[Any]) -> float:
            mean = select(func.avg(evaluation.c.seconds))
            return float(connection.scalar(mean.where(evaluation.c.run_id == row.id, evaluation.c.rung == 0)) or 0.0)

        return self._read_run(run_name, read)

    def failures(self, run_name: str) -> Mapping[str, int]:
        """Number of evaluations by status, without ok and without statuses that do not occur.

        Raises:
            UnknownRun: no run has that name.
        """

        def read(connection: Connection, row: Row[Any]) -> dict[str, int]:
            counts = (
                select(evaluation.c.status, func.count())
                .where(evaluation.c.run_id == row.id, evaluation.c.status != "ok")
                .group_by(evaluation.c.status)
                .order_by(evaluation.c.status)
            )
            return {row[0]: row[1] for row in connection.execute(counts)}

        return self._read_run(run_name, read)

    def failure_counts(self, run_name: str) -> list[columns.FailureCount]:
        """The errors of failures on the run's own task, the most frequent first.

        Raises:
            UnknownRun: no run has that name.
        """
        return self._read_run(run_name, columns.failures)

    def birth_columns(self, run_name: str, first: int = 0) -> list[columns.BirthRow]:
        """The births of a run from ``first`` on, in their order, without their genomes.

        Raises:
            UnknownRun: no run has that name.
        """
        return self._read_run(run_name, columns.births, first)

    def evaluation_columns(self, run_name: str, after: int = 0) -> list[columns.EvaluationRow]:
        """The evaluations of a run with an id above ``after``, in the order of recording, without their measures.

        Raises:
            UnknownRun: no run has that name.
        """
        return self._read_run(run_name, columns.evaluations, after)

    def score_columns(self, run_name: str, after: int = 0) -> list[columns.ScoreRow]:
        """The ok outcomes of a run with an id above ``after``: id, birth and fitness, in any order.

        Raises:
            UnknownRun: no run has that name.
        """
        return self._read_run(run_name, columns.scores, after)

    def parent_columns(self, run_name: str) -> list[columns.ParentRow]:
        """Each birth that has a parent, and its first parent, in the order of births.

        Raises:
            UnknownRun: no run has that name.
        """
        return self._read_run(run_name, columns.parents)

    def hit_columns(self, run_name: str) -> list[columns.HitRow]:
        """Each cache hit, and the birth whose outcome it shares, in the order of births.

        Raises:
            UnknownRun: no run has that name.
        """
        return self._read_run(run_name, columns.hits)

    def failure_columns(self, run_name: str) -> list[columns.FailureRow]:
        """Each birth whose own outcome is a failure, and the status, in any order.

        Raises:
            UnknownRun: no run has that name.
        """
        return self._read_run(run_name, columns.failed)

    def start_scores(self) -> Mapping[str, float]:
        """The fitness of birth 0 of each run whose outcome is ok, by the name of the run."""
        return self._read(columns.starts)

    def objective_columns(self, run_name: str) -> list[tuple[int, Mapping[str, float]]]:
        """The birth and the objectives of each ok outcome of a run, in any order.

        Raises:
            UnknownRun: no run has that name.
        """
        return self._read_run(run_name, columns.objectives)

    def last_recorded(self, run_name: str) -> columns.LastRecorded:
        """The latest birth, evaluation and winner of a run. Quick to read: if it equals an earlier answer, nothing was
        recorded in between.

        Raises:
            UnknownRun: no run has that name.
        """
        return self._read_run(run_name, columns.last)
