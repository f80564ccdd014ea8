"""A candidate: the genome that a reference names, with its run and scores."""

from dataclasses import dataclass

from germline.db.records import EvaluationRecord, RunRecord, ScoredIndividual, SimplifiedRecord
from germline.evaluators.tasks.registry import needs_confirmation
from germline.search.settings import RunSettings


@dataclass(frozen=True)
class Candidate:
    """The genome that a reference names.

    Attributes:
        label: its name in messages: `RUN:BIRTH`, or the reference itself.
        kind, genome: the kind and the text of the genome.
        run, scored: its run and its individual with outcome; None for the library and for files.
        reviews: its other evaluations, reviews and tests; empty if there are none.
        simplified: the record of a program that an individual became by simplification; None for all others. It is no
            individual itself, so `scored` is None.
        simplified_from: what a simplified program was made of, by its label; None for all others.
        simplified_by: by which rules, and on which task an ablation went on; None for all others.
    """

    label: str
    kind: str
    genome: str
    run: RunRecord | None = None
    scored: ScoredIndividual | None = None
    reviews: tuple[EvaluationRecord, ...] = ()
    simplified: SimplifiedRecord | None = None
    simplified_from: str | None = None
    simplified_by: str | None = None

    @property
    def birth(self) -> int | None:
        """The birth of the individual, or of the individual that was simplified; None without a run."""
        if self.simplified is not None:
            return self.simplified.birth
        return self.scored.individual.birth if self.scored else None

    @property
    def settings(self) -> RunSettings | None:
        """The settings of its run; None without a run, or for a kind that this version does not know.

        Raises:
            BadSetting: a setting of the run has a value that this version does not take.
        """
        from germline.search.kinds import KINDS  # imports numpy, which `germline runs` does without

        config = self.run.config.get("settings") if self.run else None
        return KINDS[self.kind].from_config(config) if config and self.kind in KINDS else None

    @property
    def fitness(self) -> float | None:
        """Its fitness at rung 0; None without an ok outcome."""
        return self.scored.evaluation.fitness if self.scored and self.scored.evaluation else None

    @property
    def evaluations(self) -> list[EvaluationRecord]:
        """Its outcome, if there is one, then its reviews and tests."""
        outcome = self.scored.evaluation if self.scored else None
        return [*([outcome] if outcome else []), *self.reviews]


def task_option(candidate: Candidate) -> tuple[str, ...]:
    """The option that names the task of a candidate's run, for a command to suggest; empty if the command needs none,
    since a database may choose the task."""
    if candidate.run is None or not needs_confirmation(candidate.run.task):
        return ()
    return ("--task", candidate.run.task)
