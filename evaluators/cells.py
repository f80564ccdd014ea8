"""Scores architectures: what their network comes to on a task, and what it costs."""

import os
import socket
import time
from collections.abc import Sequence
from dataclasses import replace

import torch

from germline.evaluators.cell_task import CellTask
from germline.evaluators.device import resolve
from germline.evaluators.memory import keep_freed_memory
from germline.evaluators.outcome import Objective, Outcome
from germline.evaluators.tasks.registry import task_class
from germline.programs.architecture.counts import Skeleton, count
from germline.programs.architecture.genome import Architecture, InvalidArchitecture, read


class CellEvaluator:
    """Fitness of an architecture: minus the validation error in percent.

    Parameters and multiply-accumulates are those of the full network, the error is that of a smaller one which is
    trained in its place, unless the task fixes the network.

    Args:
        task: the name of a task for architectures.
        seed: the run's seed; initial weights and batches follow from (seed, rung, evaluation seed).
        device: `auto`, `cpu` or `cuda`.
        cells, channels: of the network that is trained.
        full_cells, full_channels: of the network that is counted.
    """

    def __init__(
        self,
        task: str,
        seed: int,
        device: str = "cpu",
        cells: int = 8,
        channels: int = 16,
        full_cells: int = 20,
        full_channels: int = 36,
    ) -> None:
        torch.set_num_threads(1)
        keep_freed_memory()
        self.device = resolve(device)
        found = task_class(task)(self.device)
        if not isinstance(found, CellTask):
            raise TypeError(f"expected a task for architectures, got {task}")
        self.task = found
        self.seed = seed
        fixed = found.skeleton
        self.trained = fixed or Skeleton(channels, cells, found.classes, found.image)
        self.full = fixed or Skeleton(full_channels, full_cells, found.classes, found.image)

    @property
    def objectives(self) -> Sequence[Objective]:
        return self.task.objectives

    def score(self, genomes: Sequence[str], rung: int, seed: int, limit: float | None = None) -> list[Outcome]:
        worker = f"{socket.gethostname()}:{os.getpid()}"
        outcomes = []
        for genome in genomes:
            began = time.perf_counter()
            outcome = self._score(genome, rung, seed)
            outcomes.append(replace(outcome, seconds=time.perf_counter() - began, worker=worker))
        return outcomes

    def _score(self, genome: str, rung: int, seed: int) -> Outcome:
        try:
            architecture = read(genome)
        except InvalidArchitecture as invalid:
            return Outcome("rejected", error=str(invalid))
        found = self.task.measure(architecture, self.trained, self.task.rungs[rung], (self.seed, rung, seed))
        if found is None:
            return Outcome("diverged", error="the loss was not finite")
        return self._outcome(architecture, dict(found))

    def _outcome(self, architecture: Architecture, found: dict[str, float]) -> Outcome:
        error = found.pop("validation_error")
        counts = count(architecture, self.full)
        objectives = {"validation_error": error, "params": float(counts.params), "macs": float(counts.macs)}
        return Outcome("ok", -error, objectives, found)
