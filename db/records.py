"""The frozen records that ``germline.db`` accepts and returns. Rows and connections never leave the package."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from germline.db.notebook import NotebookRecord

OUTCOMES: Final = ("ok", "diverged", "rejected", "timeout", "oom", "crashed")
"""The statuses that an evaluation can have."""

RUN_STATES: Final = ("running", "stopped", "finished", "failed")
"""The statuses that a run can be recorded with. ``interrupted`` is displayed for ``running`` with a dead driver."""

PARENTLESS: Final = ("seed", "random", "import")
"""The operators without a parent; every other operator needs at least one parent."""


@dataclass(frozen=True, slots=True)
class RunRecord(NotebookRecord):
    """A run.

    ``status`` is one of ``RUN_STATES``, or ``interrupted``. ``owner`` is the process that drives the run as
    ``host:pid``, or None. ``created`` is UTC in ISO 8601, ``seconds`` the wall time of its drivers.
    """

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
class Individual(NotebookRecord):
    """A birth in a run.

    ``parents`` are births, ``genome`` is the genome's text. ``cached_from`` is the earlier birth with the same
    fingerprint whose outcome this individual shares (a cache hit), or None. ``rejected`` is the number of genomes that
    the space refused between the previous birth and this birth.
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
class EvaluationRecord(NotebookRecord):
    """An evaluation: its key (fingerprint, task, rung, seed) and its outcome.

    ``birth`` is the individual that was scored. ``fitness`` (higher is better) is only for sorting: finite, and None
    unless ``status`` is ``ok``. ``objectives`` and ``measures`` are preserved exactly, including infinities, nan, -0.0
    and subnormals. ``seconds`` is the duration of the evaluation, ``worker`` the name of the process that scored,
    ``error`` the text of a failure or None.
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
class Winner(NotebookRecord):
    """The winner of a run after a block.

    ``block`` is the last complete block, -1 if there is none. ``birth`` is None while no outcome is ok. ``closing``
    marks the winner at the end of a budget, for which outcomes and reviews after that block count too.
    """

    block: int
    birth: int | None
    closing: bool = False


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What the search of a run knew after a complete block, as a text of its own.

    It follows from the other records. A run has one snapshot at most, the latest.
    """

    block: int
    content: str


@dataclass(frozen=True, slots=True)
class RunSummary(NotebookRecord):
    """A row of ``germline runs``: the columns of ``germline.db.run_list.QUERY``, in their order, and the run's tags."""

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
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ScoredIndividual(NotebookRecord):
    """An individual with its outcome ``evaluation``, None if there is none yet. ``run`` is the name of the run."""

    run: str
    individual: Individual
    evaluation: EvaluationRecord | None


@dataclass(frozen=True, slots=True)
class BirthScore:
    """A birth without its genome, and its outcome.

    ``outcome_id`` is the id of the evaluation that is its outcome, None if there is none yet; ids grow in the order of
    recording. ``measure`` is the requested measure, None if the outcome does not have it.
    """

    birth: int
    block: int
    cached_from: int | None
    outcome_id: int | None
    fitness: float | None
    measure: float | None


@dataclass(frozen=True, slots=True)
class ReviewScore:
    """A review on the run's own task. ``evaluation_id`` grows in the order of recording; ``fitness`` is None if it
    failed."""

    birth: int
    rung: int
    seed: int
    evaluation_id: int
    fitness: float | None
    measures: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class RunScores:
    """All scores of a run: births in their order, reviews in the order of recording."""

    run: RunRecord
    births: tuple[BirthScore, ...]
    reviews: tuple[ReviewScore, ...]


@dataclass(frozen=True, slots=True)
class ArtifactRecord(NotebookRecord):
    """A file exported from an individual. ``target`` is a target such as ``torch``, ``sha256`` the hash of the file."""

    birth: int
    target: str
    path: str
    sha256: str
    created: str


@dataclass(frozen=True, slots=True)
class SimplifiedRecord(NotebookRecord):
    """The program that `germline simplify` made of an individual. It is no individual itself: no search bred it.

    ``birth`` is the individual that was simplified, ``genome`` the text of the simplified program and ``fingerprint``
    that of this text. ``steps`` is plain JSON: the steps from one program to the other. ``created`` is UTC, ISO 8601.
    """

    birth: int
    genome: str
    fingerprint: str
    steps: Mapping[str, Any]
    created: str


@dataclass(frozen=True, slots=True)
class TrainingRecord(NotebookRecord):
    """The outcome of a training of a tuned comparison (`germline validate --against`).

    ``text`` says what was trained and how, ``seed`` on which batches and from which weights. ``fitness`` is None unless
    the status is ``ok``.
    """

    text: str
    seed: int
    status: str
    fitness: float | None
    measures: Mapping[str, float]
    seconds: float
    error: str | None


PROPOSAL_STATES: Final = ("accepted", "invalid", "known", "failed")
"""The statuses of a proposal: born, refused by the space, not new in the run, or without an answer."""


@dataclass(frozen=True, slots=True)
class ProposalRecord:
    """A proposal of an operator from outside: what it was asked for a birth, and what it answered.

    ``position`` counts the proposals for the birth from 0. ``operator`` is the operator, ``status`` one of
    ``PROPOSAL_STATES`` and ``reason`` why the proposal was not accepted, or None. ``calls`` is the number of requests
    that were sent, ``request`` and ``answer`` are texts, ``model`` is the name of the model that answered, and the
    tokens are those that it counted; an operator without a model has an empty name and no tokens.
    """

    birth: int
    position: int
    operator: str
    status: str
    reason: str | None
    calls: int
    request: str
    model: str
    prompt_tokens: int
    answer_tokens: int
    answer: str


@dataclass(frozen=True, slots=True)
class ProposalTotals:
    """The calls and the tokens of an operator from outside in a run."""

    operator: str
    calls: int
    tokens: int


@dataclass(frozen=True, slots=True)
class VerdictRecord(NotebookRecord):
    """What a tuned comparison has found of an individual; ``content`` is plain JSON."""

    birth: int
    content: Mapping[str, Any]
    created: str
