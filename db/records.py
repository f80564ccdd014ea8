"""The frozen records that cross the boundary of ``germline.db``; rows and connections never do."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

OUTCOMES: Final = ("ok", "diverged", "rejected", "timeout", "oom", "crashed")
"""The status an evaluation can have."""

RUN_STATES: Final = ("running", "stopped", "finished", "failed")
"""The status a run can be given. ``interrupted`` is shown for a run recorded as running whose driver is dead."""

PARENTLESS: Final = ("seed", "random")
"""The operators that need no parent; every other operator needs at least one."""


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
class Individual:
    """A birth in a run.

    ``parents`` are births, ``genome`` is the genome's text. ``cached_from`` is the earlier birth with the same
    fingerprint, whose outcome it shares (a cache hit), or None. ``rejected`` counts the genomes that were thrown away
    before this one because they broke a limit of the space.
    """

    birth: int
    block: int
    parents: tuple[int, ...]
    operator: str
    genome: str
    fingerprint: str
    cached_from: int | None = None
    rejected: int = 0


@dataclass(frozen=True, slots=True)
class EvaluationRecord:
    """One evaluation of a fingerprint: its key (the first five fields) and its outcome (the others).

    ``birth`` is the individual that was scored. ``fitness`` (higher is better) is only for sorting: finite, and None
    unless ``status`` is ``ok``. ``objectives`` and ``measures`` come back bit for bit, infinities, nan, -0.0 and
    subnormals included.
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
class Winner:
    """The individual that a search would hand over after a block, or did hand over when its budget ended.

    ``block`` is the last complete block (-1: none). ``birth`` is the winner's, None while no outcome is ok.
    ``closing`` marks the winner at the end of the budget, which may have been reviewed once more.
    """

    block: int
    birth: int | None
    closing: bool = False


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
    individual: Individual
    evaluation: EvaluationRecord | None


@dataclass(frozen=True, slots=True)
class BirthScore:
    """A birth without its genome, and its outcome.

    ``outcome`` is the position of its outcome in the order of recording, None if it has none yet. ``measure`` is the
    requested measure, None if the outcome does not have it.
    """

    birth: int
    block: int
    cached_from: int | None
    outcome: int | None
    fitness: float | None
    measure: float | None


@dataclass(frozen=True, slots=True)
class ReviewScore:
    """A review on the run's own task; ``place`` is its position in the order of recording."""

    birth: int
    rung: int
    seed: int
    place: int
    fitness: float | None
    measures: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class RunScores:
    """All scores of a run: its births in order of birth, its reviews in the order of recording."""

    run: RunRecord
    births: tuple[BirthScore, ...]
    reviews: tuple[ReviewScore, ...]


@dataclass(frozen=True, slots=True)
class ArtifactRecord:
    """A file exported from an individual: ``target`` is the export's target, ``sha256`` the hash of its bytes."""

    birth: int
    target: str
    path: str
    sha256: str
    created: str
