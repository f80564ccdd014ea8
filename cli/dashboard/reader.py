"""Reads what the pages show, through a connection that cannot write, and keeps what never changes."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np

from germline.cli.candidate import Candidate
from germline.cli.dashboard import dead_parts, failures, front, lineage_tree, operators, runs, workers
from germline.cli.dashboard.derived_data import DerivedData
from germline.cli.dashboard.fitness import Scores, extended, fitness_data
from germline.cli.dashboard.individual import Records, individual_data
from germline.cli.dashboard.kept_data import RunState
from germline.cli.dashboard.lineage_tree import Ancestry, ancestry_of
from germline.cli.dashboard.map_of_run import map_image, map_of
from germline.cli.dashboard.run_columns import RunColumns, read_columns
from germline.cli.dashboard.store_pool import StorePool
from germline.cli.dashboard.winner_note import winner_note
from germline.cli.errors import BadReference
from germline.cli.simplification.families import Family, families_of
from germline.db.errors import NothingScored
from germline.db.records import RunRecord, RunSummary, ScoredIndividual
from germline.search.analysis.comparison import Group, compare
from germline.search.analysis.hypervolume import objectives_of
from germline.search.analysis.map_plot import MapPlot
from germline.search.winner import winner

T = TypeVar("T")

FAMILIES_OF = 60
"""Programs that are sorted into families: each takes some hundredths of a second."""


class Reader:
    """The data of all pages. Methods may be called from several threads, and do not wait for each other unless they
    compute the same.

    Everything is computed from what the database holds at the moment of the call; what is derived from a run stays in
    memory until more of the run is recorded.

    Raises:
        DatabaseError: as `Store` does; methods raise UnknownRun and UnknownBirth.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self._kept = DerivedData(self.state)
        self._stores = StorePool(url, replaced=self._kept.clear)

    def close(self) -> None:
        """Closes the connections."""
        self._stores.close()

    def rows(self) -> tuple[list[dict[str, Any]], list[str]]:
        """The rows of the page of runs, the newest first, and a line for each run that cannot be read."""
        with self._stores.store() as store:
            readable, problems = store.readable_runs()
            starts = store.start_scores()
        rows = [
            runs.run_row(each, starts.get(each.name) if runs.compared_with_start(each.kind) else None)
            for each in reversed(readable)
        ]
        return rows, problems

    def running(self) -> list[tuple[str, str, int, int]]:
        """Name, status, births and evaluations of all runs: what changes on the page of runs."""
        with self._stores.store() as store:
            readable, _ = store.readable_runs()
        return [(each.name, each.status, each.births, each.evaluations) for each in readable]

    def summary(self, name: str) -> RunSummary:
        """The summary of a run."""
        with self._stores.store() as store:
            return store.summary(name)

    def run(self, name: str) -> RunRecord:
        """The record of a run."""
        with self._stores.store() as store:
            return store.run(name)

    def reference(self, summary: RunSummary) -> float | None:
        """The fitness of a run's start, birth 0; None if it has none, or is not comparable."""
        if not summary.births or not runs.compared_with_start(summary.kind):
            return None
        with self._stores.store() as store:
            evaluation = store.individual(summary.name, 0).evaluation
        return evaluation.fitness if evaluation else None

    def state(self, name: str) -> RunState:
        """What changes when something of a run is recorded, or another run has the name."""
        with self._stores.store() as store:
            run, last = store.run(name), store.last_recorded(name)
        return RunState((run.id, run.created, run.seed), last, run.status)

    def stop_requested(self, name: str) -> bool:
        """Whether a run was asked to stop and has not begun to."""
        with self._stores.store() as store:
            return store.stop_requested(store.run(name).id)

    def winner(self, name: str) -> ScoredIndividual | None:
        """The winner of a run; None before any outcome is ok."""

        def read() -> ScoredIndividual | None:
            try:
                with self._stores.store() as store:
                    return winner(store, name)
            except NothingScored:
                return None

        return self._derived(name, "winner", read)

    def winner_note(self, winner: ScoredIndividual) -> str:
        """Why the winner is not the individual with the best fitness; empty if it is."""
        with self._stores.store() as store:
            run, summary = store.run(winner.run), store.summary(winner.run)
            return winner_note(run, summary, winner, bool(store.review_scores(run.name)))

    def fitness(self, name: str) -> dict[str, Any]:
        """The data of the chart of fitness."""

        def read() -> dict[str, Any]:
            with self._stores.store() as store:
                kind, reviews = store.run(name).kind, store.review_scores(name)
            return fitness_data(kind, self._scores(name), reviews)

        return self._derived(name, "fitness", read)

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
            with self._stores.store() as store:
                run, count = store.run(name), store.last_recorded(name).birth + 1
                shares = operators.shares_data(count, store.hit_columns(name), store.failure_columns(name))
                sample = store.scored(name, dead_parts.sampled_births(count))
            return {**shares, "dead": dead_parts.dead_data(run, sample)}

        return self._derived(name, "shares", read)

    def workers(self, name: str) -> dict[str, Any]:
        """The data of the timeline of workers."""
        return self._derived(name, "workers", lambda: workers.workers_data(self._columns(name)))

    def failures(self, name: str) -> list[failures.Cause]:
        """The causes of failures."""

        def read() -> list[failures.Cause]:
            with self._stores.store() as store:
                return failures.causes(store.failure_counts(name))

        return self._derived(name, "failures", read)

    def front(self, name: str) -> dict[str, Any]:
        """The points of the page of the front."""

        def read() -> dict[str, Any]:
            run, scores = self.run(name), self._scores(name)
            names, on_front = objectives_of(run), []
            with self._stores.store() as store:
                if names:
                    rows = store.objective_columns(name)
                    values = np.array([[objectives.get(each, np.nan) for each in names] for _, objectives in rows])
                    on_front = front.front_births([birth for birth, _ in rows], values.reshape(-1, len(names)))
                shown = store.scored(name, front.shown_births(scores, on_front[:1000]))
            return front.front_data(run, shown, on_front)

        return self._derived(name, "front", read)

    def map(self, name: str) -> MapPlot | None:
        """The map of a run; None without a map, or before its first block."""

        def read() -> MapPlot | None:
            with self._stores.store() as store:
                return map_of(store, store.run(name))

        return self._derived(name, "map", read)

    def map_picture(self, name: str) -> bytes | None:
        """The map of a run as SVG; None without."""

        def read() -> bytes | None:
            plot = self.map(name)
            return None if plot is None else map_image(plot)

        return self._derived(name, "map picture", read)

    def families(self, name: str) -> list[Family]:
        """The families of the best programs of a run; empty for other kinds, and where a genome is not valid."""
        if self.run(name).kind != "optimizer":
            return []

        def read() -> list[Family]:
            with self._stores.store() as store:
                best = store.top(name, FAMILIES_OF)
            try:
                return families_of(best)
            except BadReference:
                return []

        return self._derived(name, "families", read)

    def tree(self, name: str, birth: int) -> dict[str, Any]:
        """The lineage of an individual. It is not kept: a run has as many as births."""
        with self._stores.store() as store:
            store.individual(name, birth)  # raises UnknownBirth
        ancestry = self._ancestry(name)
        choice = lineage_tree.chosen(ancestry, birth)
        with self._stores.store() as store:
            individuals = store.scored(name, choice.wanted)
        return lineage_tree.tree_data(ancestry, choice, individuals)

    def candidate(self, name: str, birth: int) -> Candidate:
        """An individual as a candidate, with all its evaluations."""
        with self._stores.store() as store:
            run, scored = store.run(name), store.individual(name, birth)
            every = store.reviews(run.id, scored.individual.fingerprint)
        reviews = tuple(each for each in every if (each.rung, each.seed) != (0, 0) or each.task != run.task)
        return Candidate(f"{name}:{birth}", run.kind, scored.individual.genome, run, scored, reviews)

    def individual(self, name: str, birth: int) -> dict[str, Any]:
        """The texts of the page of an individual."""
        candidate, text = self.candidate(name, birth), None
        if candidate.kind == "optimizer":
            from germline.cli.dashboard.formula import formula  # imports the rules of simplification

            text = formula(candidate.genome)
        start = self.candidate(name, 0) if birth and runs.compared_with_start(candidate.kind) else None
        with self._stores.store() as store:
            records = Records(
                candidate,
                start,
                store.children(name, birth),
                store.simplified(name, birth),
                store.verdict(name, birth),
                [each for each in store.artifacts(name) if each.birth == birth],
                self.url,
            )
        return individual_data(records, text)

    def compared(self, names: Sequence[str]) -> tuple[list[Group], dict[str, Any]]:
        """Runs in groups that differ in seeds alone, and the data of their curves."""
        with self._stores.store() as store:
            summaries = [store.summary(name) for name in dict.fromkeys(names)]
            groups = compare(store, summaries)
        scores = {summary.name: self._scores(summary.name) for summary in summaries}
        return groups, runs.comparison_data(groups, scores)

    def _scores(self, name: str) -> Scores:
        def read(known: Scores | None) -> Scores:
            last = int(known.ids.max()) if known and len(known.ids) else 0
            with self._stores.store() as store:
                return extended(known, store.score_columns(name, last))

        return self._kept.get(name, "scores", read)

    def _ancestry(self, name: str) -> Ancestry:
        def read() -> Ancestry:
            with self._stores.store() as store:
                parents, hits = store.parent_columns(name), store.hit_columns(name)
                last = store.last_recorded(name).birth
            return ancestry_of(last, self._scores(name), parents, hits)

        return self._derived(name, "ancestry", read)

    def _columns(self, name: str) -> RunColumns:
        def read(known: RunColumns | None) -> RunColumns:
            with self._stores.store() as store:
                return read_columns(store, name, known)

        return self._kept.get(name, "columns", read)

    def _derived(self, name: str, what: str, read: Callable[[], T]) -> T:
        """What `read` returns, which is kept until more of the run is recorded."""
        return self._kept.get(name, what, lambda known: read())
