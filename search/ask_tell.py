"""Ask and tell: a search whose genomes the caller scores, on a cluster of its own, with a robot or in a notebook.

with Store("germline.db") as store, AskTell(store, new_run(store, births=500).name) as search:
    while not search.finished:
        for asked in search.ask(8):
            search.tell({asked.id: my_outcome(asked.genome, asked.rung, asked.seed)})

It is the loop of every other search that breeds, records and decides (`germline.search.run.evolve`); only its executor
is another. So the lineage is that of `evolve` for the same outcomes, in whatever order they are told.
"""

import threading
from collections.abc import Mapping
from itertools import islice
from types import TracebackType
from typing import Any, Self

from germline.db.errors import NothingScored
from germline.db.records import RunRecord
from germline.db.store import Store
from germline.evaluators.evaluator import EvaluatorSpec
from germline.evaluators.executors.caller_executor import Asked, CallerExecutor
from germline.evaluators.outcome import Outcome
from germline.evaluators.tasks.registry import confirmed_name, task_class
from germline.search.kinds import kind_named
from germline.search.progress import Progress
from germline.search.run import evolve
from germline.search.told_outcomes import BadTell, behaviours, checked

__all__ = ["AskTell", "Asked", "BadTell"]


class AskTell:
    """A recorded run that asks for outcomes.

    Open a run again, after its process was killed too, and `ask` gives the genomes that have no outcome. Threads of a
    process may ask and tell at the same time; one waits for the other.

    Args:
        store: the database of the run.
        name: of the run.
        task: the run's task, which must be named here if it is a class in a file or `gym:<module>:<id>`.
        session: further arguments of `evolve`: `births`, `evaluations`, `frames`, `seconds`, `force`, `operators`.

    Attributes:
        progress: the counts and the best of the run; None before the first `ask`.
        finished: True once nothing more is asked, because the budget is used up, or the run was told to stop.

    Raises:
        UnknownRun, UnconfirmedTask, RunOutdated, RunBusy, BadSetting: as `evolve`, some of them by the first `ask`.
    """

    def __init__(self, store: Store, name: str, *, task: str | None = None, **session: Any) -> None:
        run = store.run(name)
        kind = kind_named(run.kind)
        chosen = task_class(confirmed_name(run.task, task))
        settings = kind.from_config(run.config.get("settings", {}))
        self.progress: Progress | None = None
        self.finished = False
        self._spec = EvaluatorSpec(run.kind, run.task, run.seed, "cpu", kind.evaluator_options(settings))
        self._objectives = kind.objectives(settings, chosen)
        self._measures = kind.required_measures(settings, chosen)
        self._counted = ("frames",) if _has_frames_budget(run, session) else ()
        self._behaviours = _recorded_behaviours(store, name)
        self._executor = CallerExecutor(run.task)
        self._lock = threading.RLock()
        self._handed: set[str] = set()
        self._events = evolve(store, name, task=run.task, executor=self._executor, **session)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stops the run, unless it is finished. What was told is recorded; what was asked will be asked again."""
        with self._lock:
            self._events.close()  # type: ignore[attr-defined]

    @property
    def evaluator(self) -> EvaluatorSpec:
        """How Germline itself would score the genomes: `spec.build().score([genome], rung, seed, limit)`."""
        return self._spec

    @property
    def waiting(self) -> list[Asked]:
        """The genomes that this session has given and that have no outcome yet, oldest first."""
        with self._lock:
            return [asked for asked, _ in self._executor.waiting.values() if asked.id in self._handed]

    def ask(self, most: int | None = None) -> list[Asked]:
        """Genomes to score, oldest first, none that this session has given before.

        Fewer than `most`, or none, if the search has to know outcomes first, or is finished (`finished`).

        Args:
            most: how many at most; None: all that can be scored now.

        Raises:
            RunBusy, RunOutdated, BadSetting: as `evolve`, by the first call.
        """
        if most is not None and (not isinstance(most, int) or most < 0):
            raise ValueError(f"expected the most genomes to ask for, a whole number of 0 or more, got {most!r:.60}")
        with self._lock:
            if not self._executor.starved:
                self._advance()
            new = (asked for asked, _ in self._executor.waiting.values() if asked.id not in self._handed)
            given = list(islice(new, most))
            self._handed.update(asked.id for asked in given)
            return given

    def tell(self, outcomes: Mapping[str, Outcome]) -> None:
        """Records outcomes, by the ids of the genomes; any number of them, in any order. When it returns, all of them
        survive a kill. If one is refused, none is taken.

        The fitness of an ok outcome may be left out: it is the first objective, with its sign so that higher is better.

        Raises:
            BadTell: an id is not of a genome that waits, an outcome is no `Outcome`, or lacks what the run needs.
            SearchFailed: so many outcomes in a row have failed that scoring itself must be broken. They are recorded;
                those that came after them in the same call are not.
        """
        if not isinstance(outcomes, Mapping):
            raise BadTell(f"expected outcomes by id, as in {{'17:0:0': outcome}}, got {type(outcomes).__name__}")
        with self._lock:
            self._tell(outcomes)

    def _tell(self, outcomes: Mapping[str, Outcome]) -> None:
        if not self._executor.starved and not self.finished:
            self._advance()
        known = self._behaviours
        taken: dict[str, Outcome] = {}
        for key, outcome in outcomes.items():
            if key not in self._executor.waiting:
                raise BadTell(
                    f"expected the id of a genome that waits, got {key!r:.60}: it was told before, or never asked"
                )
            taken[key] = checked(outcome, self._objectives, (*self._measures, *self._counted))
            if self._measures and taken[key].status == "ok" and (count := behaviours(taken[key].measures)):
                known = known or count
                if count != known:
                    raise BadTell(f"expected {known} measures behaviour_…, as other outcomes have, got {count}")
        self._behaviours = known
        for key, outcome in taken.items():
            self._executor.tell(key, outcome)
            self._handed.discard(key)
        if taken:
            self._advance()

    def _advance(self) -> None:
        """Lets the search go on until it needs an outcome that was not told, or has ended."""
        self._executor.starved = False
        for progress in self._events:
            self.progress = progress
            if self._executor.starved:
                return
        self._executor.starved = self.finished = True


def _has_frames_budget(run: RunRecord, session: Mapping[str, Any]) -> bool:
    """Whether a session ends by the frames that outcomes report, without which it would never end."""
    given = [session.get(budget) for budget in ("births", "evaluations", "frames")]
    return bool(run.config.get("frames") if given == [None, None, None] else given[2])


def _recorded_behaviours(store: Store, name: str) -> int:
    try:
        best = store.best(name).evaluation
    except NothingScored:
        return 0
    return behaviours(best.measures) if best else 0
