"""Reads what the pages show, through a connection that cannot write, and keeps what never changes."""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from threading import RLock
from typing import Any, TypeVar

import numpy as np

from germline.cli.candidate import Candidate
from germline.cli.dashboard import dead_parts, failures, front, lineage_tree, operators, runs, workers
from germline.cli.dashboard.fitness import Scores, extended, fitness_data
from germline.cli.dashboard.individual import Records, individual_data
from germline.cli.dashboard.lineage_tree import Ancestry
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

RUNS_KEPT = 4
"""How many runs stay in memory: one of 300,000 births takes about 40 MB."""


class Reader:
    """The data of all pages. Methods may be called from several threads; one works at a time.

    Everything is computed from what the database holds at the moment of the call; what is derived from a run stays in
    memory until more of the run is recorded.

    Raises:
        DatabaseError: as `Store` does; methods raise UnknownRun and UnknownBirth.
    """

    def __init__(self, url: str) -> None:
        self._store = Store(url, create=False, read_only=True, wait_seconds=10.0)
        self._lock = RLock()
        self._kept: OrderedDict[str, dict[str, tuple[Any, Any]]] = OrderedDict()

    def close(self) -> None:
        """Closes the connection."""
        self._store.close()

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

    def state(self, name: str) -> list[Any]:
        """What changes when something of a run is recorded: its last birth and evaluation, and its status."""
        with self._lock:
            return [*self._store.last_recorded(name), self._store.run(name).status]

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
            found = self.winner(name)
            line = self._ancestry(name).line(found.individual.birth) if found else []
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
            return {**front.front_data(run, shown, on_front), "total": len(scores.births)}

        return self._derived(name, "front", read)

    def families(self, name: str) -> list[Family]:
        """The families of the best programs of a run; empty for other kinds, and where a genome is not valid."""
        if self.run(name).kind != "optimizer":
            return []
        with self._lock:
            known = self._kept.get(name, {}).get("families")
            if known and known[0] == self.state(name):
                return list(known[1])
        best = self._derived(name, "best", lambda: self._store.top(name, FAMILIES_OF))
        try:
            families = families_of(best)  # takes seconds, in which other pages are answered
        except BadReference:
            families = []
        return self._derived(name, "families", lambda: families)

    def tree(self, name: str, birth: int) -> dict[str, Any]:
        """The lineage of an individual."""

        def read() -> dict[str, Any]:
            ancestry = self._ancestry(name)
            choice = lineage_tree.chosen(ancestry, birth)
            return lineage_tree.tree_data(ancestry, choice, self._store.scored(name, choice.wanted))

        with self._lock:
            self._store.individual(name, birth)  # raises UnknownBirth
        return self._derived(name, f"tree {birth}", read)

    def candidate(self, name: str, birth: int) -> Candidate:
        """An individual as a candidate, with all its evaluations."""
        with self._lock:
            run, scored = self._store.run(name), self._store.individual(name, birth)
            every = self._store.reviews(run.id, scored.individual.fingerprint)
        reviews = tuple(each for each in every if (each.rung, each.seed) != (0, 0) or each.task != run.task)
        return Candidate(f"{name}:{birth}", run.kind, scored.individual.genome, run, scored, reviews)

    def individual(self, name: str, birth: int) -> dict[str, Any]:
        """The texts of the page of an individual."""
        from germline.cli.dashboard.formula import formula  # imports the rules of simplification

        candidate = self.candidate(name, birth)
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
        return individual_data(records, formula(candidate.genome) if candidate.kind == "optimizer" else None)

    def compared(self, names: Sequence[str]) -> tuple[list[Group], dict[str, Any]]:
        """Runs in groups that differ in seeds alone, and the data of their curves."""
        with self._lock:
            summaries = [self.summary(name) for name in dict.fromkeys(names)]
            groups = compare(self._store, summaries)
            scores = {summary.name: self._scores(summary.name) for summary in summaries}
        return groups, runs.comparison_data(groups, scores)

    def _scores(self, name: str) -> Scores:
        def read() -> Scores:
            known = self._kept[name].get("scores")
            last = int(known[1].ids.max()) if known and len(known[1].ids) else 0
            return extended(known[1] if known else None, self._store.score_columns(name, last))

        return self._derived(name, "scores", read)

    def _ancestry(self, name: str) -> Ancestry:
        def read() -> Ancestry:
            scores, rows = self._scores(name), self._store.parent_columns(name)
            size = 1 + max(self._store.last_recorded(name)[0], *(each[0] for each in rows[-1:]), -1)
            size = max(size, int(scores.births[-1]) + 1 if len(scores.births) else 0)
            parent, fitness = np.full(size, -1, np.int64), np.full(size, np.nan)
            if rows:
                births, parents = (np.array(column, np.int64) for column in zip(*rows, strict=True))
                parent[births] = parents
            fitness[scores.births] = scores.fitness
            return Ancestry(parent, fitness)

        return self._derived(name, "ancestry", read)

    def _columns(self, name: str) -> RunColumns:
        def read() -> RunColumns:
            known = self._kept[name].get("columns")
            return read_columns(self._store, name, known[1] if known else None)

        return self._derived(name, "columns", read)

    def _derived(self, name: str, what: str, read: Callable[[], T]) -> T:
        """What `read` returns, which is kept until more of the run is recorded."""
        with self._lock:
            state = self.state(name)
            kept = self._kept.setdefault(name, {})
            self._kept.move_to_end(name)
            while len(self._kept) > RUNS_KEPT:
                self._kept.popitem(last=False)
            if what not in kept or kept[what][0] != state:
                kept[what] = (state, read())
            value: T = kept[what][1]
            return value
