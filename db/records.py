"""The frozen records that cross the boundary of ``germline.db``; rows and connections never do."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

OUTCOMES: Final = ("ok", "diverged", "rejected", "timeout", "oom", "crashed")
"""The status an evaluation can have."""

RUN_STATES: Final = ("running", "stopped", "finished", "failed")
"""The status a run can be given. One more is shown, ``interrupted``: recorded as running, but its driver is dead."""

REQUESTS: Final = ("stop", "pause")
"""What another shell can ask of a running driver."""

PARENTLESS: Final = ("seed", "random")
"""The operators that make an individual from nothing; every other operator needs at least one parent."""


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One run. ``owner`` is ``host:pid`` of its driver, ``created`` UTC in ISO 8601, ``seconds`` driver wall time."""

    id: int
    name: str
    kind: str
    task: str
    preset: str
    seed: int
    config: Mapping[str, Any]
    environment: Mapping[str, Any]
    status: str
    owner: str | None
    created: str
    seconds: float


@dataclass(frozen=True, slots=True)
class IndividualRecord:
    """One birth. ``genome`` is its text; ``cached_from`` the earlier birth whose outcome it shares (a cache hit);
    ``rejected`` how many genomes were thrown away in its place, for a limit."""

    birth: int
    block: int
    parents: tuple[int, ...]
    operator: str
    genome: str
    fingerprint: str
    cached_from: int | None
    rejected: int = 0


@dataclass(frozen=True, slots=True)
class EvaluationRecord:
    """One evaluation of a fingerprint, done for ``birth``.

    ``fitness`` (higher is better) is for sorting alone: finite, and None unless ``status`` is ``ok``. ``objectives``
    and ``measures`` come back bit for bit, infinities, nan, -0.0 and subnormals included.
    """

    birth: int
    fingerprint: str
    task: str
    rung: int
    seed: int
    status: str
    fitness: float | None
    objectives: Mapping[str, float]
    measures: Mapping[str, float]
    seconds: float
    worker: str
    error: str | None


@dataclass(frozen=True, slots=True)
class RunSummary:
    """One row of ``germline runs``, in the order of the columns of the view ``v_runs``."""

    name: str
    kind: str
    task: str
    preset: str
    seed: int
    status: str
    births: int
    evaluations: int
    cache_hits: int
    failures: int
    rejected: int
    seconds: float
    best_birth: int | None
    best_fitness: float | None
    owner: str | None
    created: str


@dataclass(frozen=True, slots=True)
class ScoredIndividual:
    """An individual with its outcome: its fingerprint's evaluation on the run's task at rung 0, seed 0, if any yet."""

    run: str
    individual: IndividualRecord
    evaluation: EvaluationRecord | None


@dataclass(frozen=True, slots=True)
class BirthScore:
    """A birth without its genome, and what its outcome brought.

    ``outcome`` is the place of its outcome in the order in which evaluations were recorded, None if it has none yet.
    ``measure`` is the one measure that was asked for; None if the outcome has no such.
    """

    birth: int
    block: int
    cached_from: int | None
    outcome: int | None
    fitness: float | None
    measure: float | None


@dataclass(frozen=True, slots=True)
class ReviewScore:
    """A review on the run's own task, and its place in the order in which evaluations were recorded."""

    birth: int
    rung: int
    seed: int
    place: int
    fitness: float | None
    measures: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class RunScores:
    """All that was scored in a run: its births in their order, and its reviews in the order of their recording."""

    run: RunRecord
    births: tuple[BirthScore, ...]
    reviews: tuple[ReviewScore, ...]


@dataclass(frozen=True, slots=True)
class ArtifactRecord:
    """A file that was exported from an individual: ``target`` says for what, ``sha256`` is of its bytes."""

    birth: int
    target: str
    path: str
    sha256: str
    created: str
