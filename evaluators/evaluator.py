"""The contract of evaluators, and the plain data from which each worker builds its evaluator."""

import logging
import os
import socket
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import import_module
from typing import Any, ClassVar, Generic, TypeVar

from germline.evaluators.device import lost
from germline.evaluators.errors import in_a_line
from germline.evaluators.hurdle import Limit
from germline.evaluators.memory import out_of_memory, release_memory
from germline.evaluators.outcome import Objective, Outcome, recordable
from germline.evaluators.task import Split, Task, independent_rows
from germline.evaluators.tasks.name_grammar import names_of

log = logging.getLogger(__name__)

G = TypeVar("G")

EVALUATED_AT_ONCE = "evaluated_at_once"
"""Measure: how many genomes were evaluated at once, for genomes of a pack that did not fit the memory. Reported only if
the bits of an outcome may depend on this number."""


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
        self.independent = independent_rows(task, device)
        """Whether a genome gets the same bits in any pack; if not, parts of a pack are evaluated in its shape."""
        self.objectives: Sequence[Objective] = task.objectives
        """What a search improves; the first objective makes the fitness."""
        self._largest_part: dict[int, int] = {}
        """For each rung at which a pack did not fit the memory: how many genomes are evaluated at once. Remembered only
        if rows are independent; otherwise the bits of an outcome would depend on what a worker has scored before."""

    @abstractmethod
    def read(self, text: str) -> G | Rejected:
        """Returns the genome of a text, or why this evaluator rejects it."""

    @abstractmethod
    def evaluate(self, genomes: Sequence[G], rung: int, seed: int, split: Split, limit: Limit | None) -> list[Outcome]:
        """Returns one outcome per genome, in order. All genomes are evaluated together, which may run out of memory.

        Args:
            genomes: at least one.
            rung: level of effort, counted from 0: an amount of training, or a number of episodes.
            seed: of the evaluation, the same for all genomes that are compared.
            split: `validation`, or `heldout`, where objectives have their `heldout_name`.
            limit: early-stopping threshold, see `score`; None: no genome is dropped.
        """

    def score(
        self,
        genomes: Sequence[str],
        rung: int,
        seed: int,
        limit: Limit | None = None,
        only: Sequence[int] | None = None,
    ) -> list[Outcome]:
        """Returns one outcome per genome, in order. An invalid genome is an outcome, never an exception.

        An evaluator with a hurdle reports a genome's intermediate loss there as the measure `hurdle`, and rejects the
        genome if that loss is above `limit`.

        Args:
            genomes: the texts of the whole pack.
            rung: level of effort, counted from 0: an amount of training, or a number of episodes.
            seed: of the evaluation.
            limit: early-stopping threshold; None: no genome is dropped.
            only: positions in `genomes`, such as those that are scored again after a failure of the whole pack. Only
                their genomes are evaluated, and their outcomes are returned in this order, with the bits that they
                would have in the whole pack: if bits depend on its shape, copies fill the other rows. None: all.
        """
        return self._outcomes(genomes, rung, seed, "validation", limit, only)

    @classmethod
    def warm_up(cls) -> None:
        """Does in this process, ahead of the first evaluator, what evaluators of this class do on the CPU whatever
        their task is, such as loading compiled code."""
        return

    def close(self) -> None:
        """Closes what the evaluator has opened, such as environments with processes of their own. Call it last."""
        return

    def lost_device(self) -> str | None:
        """Returns why this process can no longer use the evaluator's device, in a line; None if it can."""
        return lost(self.device)

    def validate(self, genomes: Sequence[str], rung: int, seed: int) -> list[Outcome]:
        """Returns the outcome of each genome on held-out data, after a training of its own; of a policy, in episodes
        that no search plays. No search calls this.

        Raises:
            NoHeldout: the task has no held-out data.
        """
        return self._outcomes(genomes, rung, seed, "heldout", None, None)

    def _outcomes(
        self,
        genomes: Sequence[str],
        rung: int,
        seed: int,
        split: Split,
        limit: Limit | None,
        only: Sequence[int] | None,
    ) -> list[Outcome]:
        start = time.perf_counter()
        wanted = range(len(genomes)) if only is None else only
        # Where rows are independent, the other genomes need no place in the pack, and so are not even read.
        read = {i: self.read(genomes[i]) for i in (wanted if self.independent else range(len(genomes)))}
        valid = {i: genome for i, genome in read.items() if not isinstance(genome, Rejected)}
        chosen = {i: valid[i] for i in wanted if i in valid}
        evaluated: dict[int, Outcome] = {}
        if chosen:
            stand_in = next(iter(chosen.values()))
            pack = [chosen.get(i, stand_in) for i in valid]
            rows = {row: i for row, i in enumerate(valid) if i in chosen}
            outcomes = self._evaluate_in_parts(pack, rows, rung, seed, split, limit)
            evaluated = {i: outcomes[row] for row, i in rows.items()}
        seconds = dict(zip(evaluated, self._shares(evaluated.values(), time.perf_counter() - start), strict=True))
        worker = f"{socket.gethostname()}:{os.getpid()}"
        rejected = {i: Outcome("rejected", error=each.reason) for i, each in read.items() if isinstance(each, Rejected)}
        by_position = {**rejected, **evaluated}
        return [recordable(by_position[i], seconds.get(i), worker) for i in wanted]

    def _evaluate_in_parts(
        self,
        pack: Sequence[G],
        rows: Collection[int],
        rung: int,
        seed: int,
        split: Split,
        limit: Limit | None,
    ) -> dict[int, Outcome]:
        """Evaluates a pack, as many genomes at once as the memory holds; returns the outcomes of `rows` by row.

        A part that does not fit is halved. A single genome that does not fit has the outcome `oom`. If rows are
        independent, the size that fits is remembered for this rung; if not, it is reported as a measure, since the last
        bits of the outcomes depend on it.
        """
        outcomes: dict[int, Outcome] = {}
        size = self._largest_part.get(rung, len(pack))
        first = 0
        while first < len(pack):
            part = range(first, min(first + size, len(pack)))
            wanted = [row for row in part if row in rows]
            try:
                results = self.evaluate(pack[first : part.stop], rung, seed, split, limit) if wanted else []
                outcomes.update({row: results[row - first] for row in wanted})
                first = part.stop
                continue
            except Exception as error:
                if not out_of_memory(error):
                    raise
                reason = in_a_line(error)
            # Outside of `except`: until then the exception keeps alive what filled the memory.
            release_memory(self.device)
            if len(part) == 1:
                outcomes[first] = Outcome("oom", error=reason)
                first += 1
                continue
            size = len(part) // 2
            message = "the memory of %s does not hold %d genomes; evaluating %d at once"
            if self.independent:
                self._largest_part[rung] = size
            else:
                message += ", which may change the last bits of their outcomes; take smaller packs (--set pack=N)"
            log.warning(message, self.device, len(part), size)
        if size < len(pack) and not self.independent:
            return {row: _with_measure(outcome, EVALUATED_AT_ONCE, size) for row, outcome in outcomes.items()}
        return outcomes

    def _shares(self, outcomes: Collection[Outcome], seconds: float) -> list[float]:
        """The seconds of each outcome of a pack that took `seconds`, see `time_measure`."""
        name = self.time_measure
        costs = [1.0 if name is None else outcome.measures.get(name, 0.0) for outcome in outcomes]
        total = sum(costs) or 1.0
        return [seconds * cost / total for cost in costs]


def _with_measure(outcome: Outcome, name: str, value: float) -> Outcome:
    return replace(outcome, measures={**outcome.measures, name: float(value)})


EVALUATORS = {
    "optimizer": "germline.evaluators.optimizer.evaluator:OptimizerEvaluator",
    "architecture": "germline.evaluators.architecture.evaluator:ArchitectureEvaluator",
    "policy": "germline.evaluators.policy.evaluator:PolicyEvaluator",
    "optimizer-training": "germline.evaluators.optimizer.training_evaluator:TrainingEvaluator",
}
"""Module and class of the evaluator of each kind of genome, and of the trainings of a tuned comparison."""
SEVERAL_EVALUATORS = {"optimizer": "germline.evaluators.optimizer.several_evaluator:SeveralEvaluator"}
"""The same for several tasks, for the kinds that have such an evaluator."""


SCORING_VERSION = 3
"""Changes whenever the same genome on the same task gets other numbers. `Kind.scoring_version` says which runs have the
numbers of an earlier version.

1: programs ran in plain torch.
2: programs run as bytecode.
3: packs of a training task that does not claim `batch_invariant` keep their shape; a program with matrix functions gets
the same bits whatever else is in its pack.
"""
BY_COLUMNS_VERSION = 4
"""The version of runs whose programs may take a function such as `sinh` of a matrix by columns, as `transpose` and
`eigenbasis` return it: it stays by columns in a pack, too. No optimizer of the library does so; rows of the leaderboard
keep version 3."""


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
        evaluator: Evaluator[Any] = self._evaluator_class()(
            task=self.task, seed=self.seed, device=self.device, **self.options
        )
        return evaluator

    def preload(self) -> None:
        """Does what `build` does whatever the task is: imports modules and, for the CPU, loads compiled code.

        Imports no task, and touches no GPU.
        """
        evaluator_class = self._evaluator_class()
        if "torch" in sys.modules:  # the evaluator of policies imports it only for tasks that need it
            sys.modules["torch"].set_num_threads(1)
            import_module("germline.evaluators.tasks.task_checks")
        if self.device == "cpu":
            evaluator_class.warm_up()

    def _evaluator_class(self) -> Any:
        """The class, whose arguments each kind chooses."""
        evaluators = EVALUATORS if len(names_of(self.task)) == 1 else SEVERAL_EVALUATORS
        module, name = evaluators[self.kind].split(":")
        return getattr(import_module(module), name)
