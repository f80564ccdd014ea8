"""Reads what the pages show, through a connection that cannot write, and keeps what never changes."""

from collections.abc import Callable, Sequence
from threading import RLock
from typing import Any, TypeVar, cast

import numpy as np

from germline.cli.candidate import Candidate
from germline.cli.dashboard import dead_parts, failures, front, lineage_tree, operators, runs, workers
from germline.cli.dashboard.current_store import CurrentStore
from germline.cli.dashboard.fitness import Scores, extended, fitness_data
from germline.cli.dashboard.individual import Records, individual_data
from germline.cli.dashboard.kept_data import KeptData, RunState
from germline.cli.dashboard.lineage_tree import Ancestry, ancestry_of
from germline.cli.dashboard.run_columns import RunColumns, read_columns
from germline.cli.errors import BadReference
from germline.cli.simplification.families import Family, families_of
from germline.db.errors import NothingScored
from germline.db.records import RunRecord, RunSummary, ScoredIndividual
from germline.db.store import Store
from germline.search.analysis.comparison import Group, compare
from germline.search.analysis.hypervolume import objectives_of
from germline.search.winner import winner

T = TypeVar("T")

FAMILIES_OF = 60
"""Programs that are sorted into families: each takes some hundredths of a second."""


class Reader:
    """The data of all pages. Methods may be called from several threads; one works at a time.

    Everything is computed from what the database holds at the moment of the call; what is derived from a run stays in
    memory until more of the run is recorded.

    Raises:
        DatabaseError: as `Store` does; methods raise UnknownRun and UnknownBirth.
    """

    def __init__(self, url: str) -> None:
        self._lock = RLock()
        self._kept = KeptData()
        self._database = CurrentStore(url, replaced=self._kept.clear)

    @property
    def _store(self) -> Store:
        with self._lock:
            return self._database.get()

    def close(self) -> None:
        """Closes the connection."""
        self._database.close()

    def summaries(self) -> list[RunSummary]:
        """All runs, oldest first."""
        with self._lock:
            return self._store.runs()

    def rows(self) -> list[dict[str, Any]]:
        """The rows of the page of runs, the newest first."""
        return [runs.run_row(summary, self.reference(summary)) for summary in reversed(self.summaries())]

    def summary(self, name: str) -> RunSummary:
        """The summary of a run."""
        with self._lock:
            return self._store.summary(name)

    def run(self, name: str) -> RunRecord:
        """The record of a run."""
        with self._lock:
            return self._store.run(name)

    def reference(self, summary: RunSummary) -> float | None:
        """The fitness of a run's start, birth 0; None if it has none, or is not comparable."""
        if not summary.births or not runs.compared_with_start(summary.kind):
            return None
        with self._lock:
            evaluation = self._store.individual(summary.name, 0).evaluation
        return evaluation.fitness if evaluation else None

    def state(self, name: str) -> RunState:
        """What changes when something of a run is recorded, or another run has the name."""
        with self._lock:
            run, last = self._store.run(name), self._store.last_recorded(name)
        return RunState((run.id, run.created, run.seed), last, run.status)

    def stop_requested(self, name: str) -> bool:
        """Whether a run was asked to stop and has not begun to."""
        with self._lock:
            return self._store.stop_requested(self._store.run(name).id)

    def winner(self, name: str) -> ScoredIndividual | None:
        """The winner of a run; None before any outcome is ok."""

        def read() -> ScoredIndividual | None:
            try:
                return winner(self._store, name)
            except NothingScored:
                return None

        return self._derived(name, "winner", read)

    def fitness(self, name: str) -> dict[str, Any]:
        """The data of the chart of fitness."""
        return self._derived(
            name,
            "fitness",
            lambda: fitness_data(self.run(name).kind, self._scores(name), self._store.review_scores(name)),
        )

    def operators(self, name: str) -> list[dict[str, Any]]:
        """The rows of the table of operators."""

        def read() -> list[dict[str, Any]]:
            winner = self.winner(name)
            line = self._ancestry(name).line(winner.individual.birth) if winner else []
            return operators.operator_rows(self._columns(name), line)

        return self._derived(name, "operators", read)

    def shares(self, name: str) -> dict[str, Any]:
        """The data of the chart of shares: cache hits, failures and dead parts."""

        def read() -> dict[str, Any]:
            columns = self._columns(name)
            sample = self._store.scored(name, dead_parts.sampled_births(columns.size))
            return {**operators.shares_data(columns), "dead": dead_parts.dead_data(self.run(name), sample)}

        return self._derived(name, "shares", read)

    def workers(self, name: str) -> dict[str, Any]:
        """The data of the timeline of workers."""
        return self._derived(name, "workers", lambda: workers.workers_data(self._columns(name)))

    def failures(self, name: str) -> list[failures.Cause]:
        """The causes of failures."""
        return self._derived(name, "failures", lambda: failures.causes(self._store.failure_counts(name)))

    def front(self, name: str) -> dict[str, Any]:
        """The points of the page of the front."""

        def read() -> dict[str, Any]:
            run, scores = self.run(name), self._scores(name)
            names, on_front = objectives_of(run), []
            if names:
                rows = self._store.objective_columns(name)
                values = np.array([[objectives.get(each, np.nan) for each in names] for _, objectives in rows])
                on_front = front.front_births([birth for birth, _ in rows], values.reshape(-1, len(names)))
            shown = self._store.scored(name, front.shown_births(scores, on_front[:1000]))
            return front.front_data(run, shown, on_front)

        return self._derived(name, "front", read)

    def families(self, name: str) -> list[Family]:
        """The families of the best programs of a run; empty for other kinds, and where a genome is not valid."""
        if self.run(name).kind != "optimizer":
            return []
        with self._lock:
            state = self.state(name)  # before the programs are read: they are at least of this state
            if self._kept.is_current(name, "families", state):
                known: list[Family] = self._kept.get(name, "families", state)
                return known
            best = self._store.top(name, FAMILIES_OF)
        try:
            families = families_of(best)  # takes seconds, in which other pages are answered
        except BadReference:
            families = []
        with self._lock:
            self._kept.put(name, "families", state, families)
        return families

    def tree(self, name: str, birth: int) -> dict[str, Any]:
        """The lineage of an individual. It is not kept: a run has as many as births."""
        with self._lock:
            self._store.individual(name, birth)  # raises UnknownBirth
            ancestry = self._ancestry(name)
            choice = lineage_tree.chosen(ancestry, birth)
            return lineage_tree.tree_data(ancestry, choice, self._store.scored(name, choice.wanted))

    def candidate(self, name: str, birth: int) -> Candidate:
        """An individual as a candidate, with all its evaluations."""
        with self._lock:
            run, scored = self._store.run(name), self._store.individual(name, birth)
            every = self._store.reviews(run.id, scored.individual.fingerprint)
        reviews = tuple(each for each in every if (each.rung, each.seed) != (0, 0) or each.task != run.task)
        return Candidate(f"{name}:{birth}", run.kind, scored.individual.genome, run, scored, reviews)

    def individual(self, name: str, birth: int) -> dict[str, Any]:
        """The texts of the page of an individual."""
        candidate, text = self.candidate(name, birth), None
        if candidate.kind == "optimizer":
            from germline.cli.dashboard.formula import formula  # imports the rules of simplification

            text = formula(candidate.genome)
        start = self.candidate(name, 0) if birth and runs.compared_with_start(candidate.kind) else None
        with self._lock:
            records = Records(
                candidate,
                start,
                self._store.children(name, birth),
                self._store.simplified(name, birth),
                self._store.verdict(name, birth),
                [each for each in self._store.artifacts(name) if each.birth == birth],
            )
        return individual_data(records, text)

    def compared(self, names: Sequence[str]) -> tuple[list[Group], dict[str, Any]]:
        """Runs in groups that differ in seeds alone, and the data of their curves."""
        with self._lock:
            summaries = [self.summary(name) for name in dict.fromkeys(names)]
            groups = compare(self._store, summaries)
            scores = {summary.name: self._scores(summary.name) for summary in summaries}
        return groups, runs.comparison_data(groups, scores)

    def _scores(self, name: str) -> Scores:
        def read(known: Scores | None) -> Scores:
            last = int(known.ids.max()) if known and len(known.ids) else 0
            return extended(known, self._store.score_columns(name, last))

        return self._grown(name, "scores", read)

    def _ancestry(self, name: str) -> Ancestry:
        def read() -> Ancestry:
            scores, parents, hits = self._scores(name), self._store.parent_columns(name), self._store.hit_columns(name)
            return ancestry_of(self._store.last_recorded(name).birth, scores, parents, hits)

        return self._derived(name, "ancestry", read)

    def _columns(self, name: str) -> RunColumns:
        return self._grown(name, "columns", lambda known: read_columns(self._store, name, known))

    def _derived(self, name: str, what: str, read: Callable[[], T]) -> T:
        """What `read` returns, which is kept until more of the run is recorded."""
        return self._grown(name, what, lambda known: read())

    def _grown(self, name: str, what: str, read: Callable[[T | None], T]) -> T:
        """What `read` returns for what was kept of the same run; it is kept until more of the run is recorded."""
        with self._lock:
            state = self.state(name)
            known: T | None = self._kept.get(name, what, state)
            if self._kept.is_current(name, what, state):
                return cast("T", known)
            value = read(known)
            self._kept.put(name, what, state, value)
            return value
