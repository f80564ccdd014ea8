"""The contract of everything that scores genomes, and the plain data from which a worker builds its own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Protocol

from germline.evaluators.hurdle import Limit
from germline.evaluators.outcome import Objective, Outcome


class Evaluator(Protocol):
    """Scores a batch of genomes, given as text, on one task."""

    @property
    def objectives(self) -> Sequence[Objective]:
        """What is improved; the first one makes the fitness."""
        ...

    def score(self, genomes: Sequence[str], rung: int, seed: int, limit: Limit | None = None) -> list[Outcome]:
        """One outcome a genome, in order. A bad genome is an outcome, never an exception.

        An evaluator that looks at a genome before it is done notes what it saw as the measure `hurdle`, the smaller
        the better, and rejects the genome if that is more than `limit` lets through.
        """
        ...

    def validate(self, genomes: Sequence[str], rung: int, seed: int) -> list[float | None]:
        """The first objective of each genome on the held-out data, after a training of its own; None: it failed.

        No search calls this.

        Raises:
            NoHeldout: the task keeps nothing back.
        """
        ...


EVALUATORS = {
    "optimizer": "germline.evaluators.optimizer.evaluator:TrainingEvaluator",
    "architecture": "germline.evaluators.architecture.evaluator:CellEvaluator",
    "policy": "germline.evaluators.policy.evaluator:PolicyEvaluator",
}
"""Which evaluator scores a kind of genome."""


SCORING_VERSION = 2
"""Changes whenever the same genome on the same task comes to other numbers. 1: programs in plain torch."""


@dataclass(frozen=True)
class EvaluatorSpec:
    """An evaluator as plain data, so that every worker builds the same one."""

    kind: str
    task: str
    seed: int
    device: str = "cpu"
    options: Mapping[str, Any] = field(default_factory=dict)

    def build(self) -> Evaluator:
        """The evaluator, with its task's data loaded."""
        module, name = EVALUATORS[self.kind].split(":")
        evaluator: Evaluator = getattr(import_module(module), name)(
            task=self.task, seed=self.seed, device=self.device, **self.options
        )
        return evaluator
