"""The contract of evaluators, and the plain data from which each worker builds its evaluator."""

import logging
import os
import socket
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import import_module
from typing import Any, ClassVar, Generic, TypeVar

from germline.evaluators.errors import in_a_line
from germline.evaluators.hurdle import Limit
from germline.evaluators.memory import out_of_memory, release_memory
from germline.evaluators.outcome import Objective, Outcome
from germline.evaluators.task import Split, Task

log = logging.getLogger(__name__)

G = TypeVar("G")


@dataclass(frozen=True)
class Rejected:
    """A text that cannot be evaluated as a genome, and why."""

    reason: str


class Evaluator(ABC, Generic[G]):
    """Scores batches of genomes, given as text, on one task.

    A kind defines `read` and `evaluate`. This class does what all kinds share: invalid genomes become outcomes, a pack
    that does not fit the memory is split, and every outcome gets its worker and its share of the time.

    Args:
        task: what genomes are scored on.
        device: `cpu` or `cuda`.
    """

    time_measure: ClassVar[str | None] = None
    """Measure in proportion to which a pack's seconds are shared among its valid genomes; None: equal shares."""

    def __init__(self, task: Task, device: str) -> None:
        self.device = device
        self.objectives: Sequence[Objective] = task.objectives
        """What a search improves; the first objective makes the fitness."""
        self._largest_part: dict[int, int] = {}
        """For each rung at which a pack did not fit the memory: how many genomes are evaluated at once."""

    @abstractmethod
    def read(self, text: str) -> G | Rejected:
        """Returns the genome of a text, or why this evaluator rejects it."""

    @abstractmethod
    def evaluate(self, genomes: Sequence[G], rung: int, seed: int, split: Split, limit: Limit | None) -> list[Outcome]:
        """Returns one outcome per genome, in order. All genomes are evaluated together, which may run out of memory.

        Args:
            genomes: at least one.
            rung: index into the task's rungs.
            seed: of the evaluation, the same for all genomes that are compared.
            split: `validation`, or `heldout`, where objectives have their `heldout_name`.
            limit: early-stopping threshold, see `score`; None: no genome is dropped.
        """

    def score(self, genomes: Sequence[str], rung: int, seed: int, limit: Limit | None = None) -> list[Outcome]:
        """Returns one outcome per genome, in order. An invalid genome is an outcome, never an exception.

        An evaluator with a hurdle reports a genome's intermediate loss there as the measure `hurdle`, and rejects the
        genome if that loss is above `limit`.
        """
        return self._outcomes(genomes, rung, seed, "validation", limit)

    def validate(self, genomes: Sequence[str], rung: int, seed: int) -> list[Outcome]:
        """Returns the outcome of each genome on the held-out data, after a training of its own. No search calls this.

        Raises:
            NoHeldout: the task has no held-out data.
        """
        return self._outcomes(genomes, rung, seed, "heldout", None)

    def _outcomes(
        self, genomes: Sequence[str], rung: int, seed: int, split: Split, limit: Limit | None
    ) -> list[Outcome]:
        start = time.perf_counter()
        candidates = [self.read(genome) for genome in genomes]
        valid = [candidate for candidate in candidates if not isinstance(candidate, Rejected)]
        evaluated = self._evaluate_in_parts(valid, rung, seed, split, limit)
        evaluated_in_order = iter(self._with_seconds(evaluated, time.perf_counter() - start))
        outcomes = [
            Outcome("rejected", error=candidate.reason) if isinstance(candidate, Rejected) else next(evaluated_in_order)
            for candidate in candidates
        ]
        worker = f"{socket.gethostname()}:{os.getpid()}"
        return [replace(outcome, worker=worker) for outcome in outcomes]

    def _evaluate_in_parts(
        self, genomes: Sequence[G], rung: int, seed: int, split: Split, limit: Limit | None
    ) -> list[Outcome]:
        """Evaluates as many genomes at once as the memory holds.

        A part that does not fit is halved, and its size is remembered for this rung. A single genome that does not fit
        has the outcome `oom`.
        """
        outcomes: list[Outcome] = []
        while len(outcomes) < len(genomes):
            size = self._largest_part.get(rung, len(genomes))
            part = genomes[len(outcomes) : len(outcomes) + size]
            try:
                outcomes += self.evaluate(part, rung, seed, split, limit)
                continue
            except Exception as error:
                if not out_of_memory(error):
                    raise
                reason = in_a_line(error)
            # Outside of `except`: until then the exception keeps alive what filled the memory.
            release_memory(self.device)
            if len(part) == 1:
                outcomes.append(Outcome("oom", error=reason))
                continue
            size = self._largest_part[rung] = len(part) // 2
            message = "the memory of %s does not hold %d genomes; evaluating %d at once"
            log.warning(message, self.device, len(part), size)
        return outcomes

    def _with_seconds(self, outcomes: Sequence[Outcome], seconds: float) -> list[Outcome]:
        """Divides the time of a pack among its outcomes, see `time_measure`."""
        name = self.time_measure
        costs = [1.0 if name is None else outcome.measures.get(name, 0.0) for outcome in outcomes]
        total = sum(costs) or 1.0
        return [replace(outcome, seconds=seconds * cost / total) for outcome, cost in zip(outcomes, costs, strict=True)]


EVALUATORS = {
    "optimizer": "germline.evaluators.optimizer.evaluator:OptimizerEvaluator",
    "architecture": "germline.evaluators.architecture.evaluator:ArchitectureEvaluator",
    "policy": "germline.evaluators.policy.evaluator:PolicyEvaluator",
}
"""Module and class of the evaluator of each kind of genome."""


SCORING_VERSION = 2
"""Changes whenever the same genome on the same task gets other numbers. Version 1 ran programs in plain torch."""


@dataclass(frozen=True)
class EvaluatorSpec:
    """An evaluator as plain data, so that every worker builds the same evaluator."""

    kind: str
    task: str
    seed: int
    device: str = "cpu"
    options: Mapping[str, Any] = field(default_factory=dict)

    def build(self) -> Evaluator[Any]:
        """Returns the evaluator, with its task's data loaded."""
        module, name = EVALUATORS[self.kind].split(":")
        evaluator: Evaluator[Any] = getattr(import_module(module), name)(
            task=self.task, seed=self.seed, device=self.device, **self.options
        )
        return evaluator
