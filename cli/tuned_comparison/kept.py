"""What a tuned comparison leaves in the database: its trainings, and the verdicts on individuals of runs."""

from collections.abc import Mapping, Sequence
from typing import Any

from germline.cli.candidate import Candidate
from germline.cli.database import open_store
from germline.cli.tuned_comparison.report import phrase
from germline.cli.verdicts import LINES, WHERE
from germline.db.records import TrainingRecord
from germline.db.store import Store
from germline.evaluators.evaluator import SCORING_VERSION
from germline.evaluators.optimizer.training_evaluator import TRAINING_VERSION
from germline.evaluators.outcome import Outcome
from germline.evaluators.task import Task
from germline.evaluators.tasks.name_grammar import file_and_class, is_in_file
from germline.evaluators.tasks.task_files import digest_of
from germline.search.tuned_comparison.results import TunedComparison
from germline.search.tuned_comparison.trainings import Key


class StoreMemo:
    """The trainings on a task at a rung that the database knows.

    Args:
        store: the database.
        task: full name of the task.
        version: see `version_of`.
        rung: of the task.
    """

    def __init__(self, store: Store, task: str, version: str, rung: int) -> None:
        self._store = store
        self._place = (task, version, rung)

    def known(self, keys: Sequence[Key]) -> dict[Key, Outcome]:
        return {key: _outcome(record) for key, record in self._store.trainings(*self._place, keys).items()}

    def add(self, outcomes: Mapping[Key, Outcome]) -> None:
        records = [
            TrainingRecord(
                text, seed, outcome.status, outcome.fitness, outcome.measures, outcome.seconds, outcome.error
            )
            for (text, seed), outcome in outcomes.items()
            # What a machine could not do today, it may do tomorrow.
            if outcome.status in ("ok", "diverged", "rejected")
        ]
        if records:
            self._store.add_trainings(*self._place, records)


def version_of(task: type[Task], name: str, device: str) -> str:
    """What decides the numbers of a training on a task: versions, the kind of device, a digest of the task's file."""
    parts = [f"task {task.version}", f"scoring {SCORING_VERSION}", f"training {TRAINING_VERSION}", device]
    if is_in_file(name):
        parts.append(digest_of(file_and_class(name)[0]))
    return ", ".join(parts)


def keep_verdicts(candidates: Sequence[Candidate], comparison: TunedComparison, url: str) -> list[str]:
    """Records the verdicts on those candidates that are individuals of runs; returns their labels."""
    kept = []
    names = [contender.label for contender in comparison.contenders]
    cells = ", ".join(f"{cell.task} ×{cell.length:g}" for cell in comparison.cells)
    for candidate in candidates:
        pairs = [pair for pair in comparison.pairs if names[pair.place] == candidate.label]
        # A verdict on a simplified program is none on the individual that it was made of.
        if candidate.run is None or candidate.birth is None or candidate.simplified is not None or not pairs:
            continue
        content: dict[str, Any] = {
            LINES: [phrase(names[pair.other], pair.verdict) for pair in pairs],
            WHERE: f"{comparison.seeds} fresh seeds, {cells}; every optimizer tuned anew on each task",
        }
        with open_store(url) as store:
            store.add_verdict(candidate.run.name, candidate.birth, content)
        kept.append(candidate.label)
    return kept


def _outcome(record: TrainingRecord) -> Outcome:
    objectives = {} if record.fitness is None else {"objective": record.fitness}
    return Outcome(
        record.status,  # type: ignore[arg-type]
        record.fitness,
        objectives,
        record.measures,
        record.seconds,
        error=record.error,
    )
