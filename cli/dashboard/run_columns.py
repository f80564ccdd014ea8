"""The births and evaluations of a run as numpy columns, which grow with the run."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from germline.db.columns import BirthRow, EvaluationRow
from germline.db.errors import unreadable_row
from germline.db.store import Store

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]

NONE = -1
"""Stands for "none" in columns of births."""


@dataclass(frozen=True)
class RunColumns:
    """What was recorded of a run, a numpy column for each quantity. Rows are births, or evaluations in their order.

    Attributes:
        source, parent: of the N births `[N]`; `source` is the birth whose outcome a cache hit shares and
            `parent` the first parent, both `NONE` if there is none. Row i is birth i.
        operator: of each birth `[N]`, an index into `operators`.
        operators, statuses, workers: the names behind the indices.
        ids, births, rungs, seeds, home, status, worker: of the M evaluations `[M]`; `home`: on the run's own task.
        fitness: of the evaluations `[M]`; nan without.
        seconds: of the evaluations `[M]`.
        created: of the evaluations `[M]`, UTC; NaT for a text that is no time.
    """

    source: Integers = field(default_factory=lambda: np.empty(0, np.int64))
    parent: Integers = field(default_factory=lambda: np.empty(0, np.int64))
    operator: Integers = field(default_factory=lambda: np.empty(0, np.int64))
    operators: tuple[str, ...] = ()
    ids: Integers = field(default_factory=lambda: np.empty(0, np.int64))
    births: Integers = field(default_factory=lambda: np.empty(0, np.int64))
    rungs: Integers = field(default_factory=lambda: np.empty(0, np.int64))
    seeds: Integers = field(default_factory=lambda: np.empty(0, np.int64))
    home: Flags = field(default_factory=lambda: np.empty(0, np.bool_))
    status: Integers = field(default_factory=lambda: np.empty(0, np.int64))
    statuses: tuple[str, ...] = ()
    worker: Integers = field(default_factory=lambda: np.empty(0, np.int64))
    workers: tuple[str, ...] = ()
    fitness: Floats = field(default_factory=lambda: np.empty(0, np.float64))
    seconds: Floats = field(default_factory=lambda: np.empty(0, np.float64))
    created: "NDArray[np.datetime64]" = field(default_factory=lambda: np.empty(0, "datetime64[us]"))

    @property
    def size(self) -> int:
        """The number of births."""
        return len(self.source)

    @property
    def last(self) -> tuple[int, int]:
        """The last birth, -1 without, and the id of the last evaluation, 0 without."""
        return self.size - 1, int(self.ids[-1]) if len(self.ids) else 0

    @cached_property
    def outcome(self) -> Integers:
        """The row of the evaluation that is the outcome of each birth `[N]`; `NONE` while there is none."""
        rows = np.full(self.size, NONE, np.int64)
        own = self.home & (self.rungs == 0) & (self.seeds == 0) & (self.births >= 0) & (self.births < self.size)
        rows[self.births[own]] = np.flatnonzero(own)
        hits = np.flatnonzero((self.source >= 0) & (self.source < self.size) & (rows < 0))
        rows[hits] = rows[self.source[hits]]
        return rows

    @cached_property
    def birth_fitness(self) -> Floats:
        """The fitness of each birth `[N]`; nan without."""
        return np.where(self.outcome >= 0, self.fitness[self.outcome], np.nan) if len(self.ids) else self._no_fitness

    @cached_property
    def failed(self) -> Flags:
        """Whether the outcome of each birth `[N]` is a failure."""
        if "ok" not in self.statuses:
            return np.asarray(self.outcome >= 0, np.bool_)
        ok = self.statuses.index("ok")
        return np.asarray((self.outcome >= 0) & (self.status[self.outcome] != ok), np.bool_)

    @property
    def _no_fitness(self) -> Floats:
        return np.full(self.size, np.nan)


def read_columns(store: Store, run_name: str, known: RunColumns | None = None) -> RunColumns:
    """The columns of a run: all, or those that are known and what was recorded since.

    Raises:
        UnknownRun
        DamagedDatabase: a row cannot be read, or a birth is missing.
    """
    known = known or RunColumns()
    last_birth, last_id = known.last
    # Evaluations first: their births are then among those that are read next.
    evaluations = store.evaluation_columns(run_name, last_id)
    births = store.birth_columns(run_name, last_birth + 1)
    if not births and not evaluations:
        return known
    return extended(known, births, evaluations)


def extended(known: RunColumns, births: Sequence[BirthRow], evaluations: Sequence[EvaluationRow]) -> RunColumns:
    """The columns with more rows.

    Raises:
        DamagedDatabase: the births do not follow each other without a gap.
    """
    for expected, row in enumerate(births, known.size):
        if row[0] != expected:
            raise unreadable_row(f"birth {expected}", f"it is missing before birth {row[0]}")
    operators, statuses, workers = list(known.operators), list(known.statuses), list(known.workers)
    born = list(zip(*births, strict=True)) or [()] * 4
    scored = list(zip(*evaluations, strict=True)) or [()] * 10
    return RunColumns(
        source=_more(known.source, [NONE if each is None else each for each in born[2]]),
        parent=_more(known.parent, [NONE if each is None else each for each in born[3]]),
        operator=_more(known.operator, _indices(operators, born[1])),
        operators=tuple(operators),
        ids=_more(known.ids, scored[0]),
        births=_more(known.births, scored[1]),
        home=np.concatenate([known.home, np.array(scored[2], np.bool_)]),
        rungs=_more(known.rungs, scored[3]),
        seeds=_more(known.seeds, scored[4]),
        status=_more(known.status, _indices(statuses, scored[5])),
        statuses=tuple(statuses),
        fitness=np.concatenate([known.fitness, np.array(scored[6], np.float64)]),  # None becomes nan
        seconds=np.concatenate([known.seconds, np.array(scored[7], np.float64)]),
        worker=_more(known.worker, _indices(workers, scored[8])),
        workers=tuple(workers),
        created=np.concatenate([known.created, _times(scored[9])]),
    )


def _more(known: Integers, values: Sequence[int]) -> Integers:
    return np.concatenate([known, np.array(values, np.int64)])


def _indices(names: list[str], values: Sequence[str]) -> list[int]:
    """The index of each value in `names`, to which new values are added."""
    places = {name: place for place, name in enumerate(names)}
    for value in values:
        if value not in places:
            places[value] = len(names)
            names.append(value)
    return [places[value] for value in values]


def _times(texts: Sequence[str]) -> "NDArray[np.datetime64]":
    """ISO 8601 texts in UTC as times; NaT for a text that is something else."""
    try:
        return np.array([text.removesuffix("Z").removesuffix("+00:00") for text in texts], "datetime64[us]")
    except ValueError:
        if len(texts) == 1:
            return np.full(1, np.datetime64("NaT"), "datetime64[us]")
        half = len(texts) // 2  # few texts are bad, and all at once are read much faster than each alone
        return np.concatenate([_times(texts[:half]), _times(texts[half:])])
