"""Scores architectures: what their network comes to on a task, and what it costs."""

import math
import os
import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch

from germline.evaluators.architecture.task import CellTask
from germline.evaluators.device import resolve
from germline.evaluators.hurdle import Hurdle, Limit, most
from germline.evaluators.memory import keep_freed_memory
from germline.evaluators.outcome import Objective, Outcome
from germline.evaluators.tasks.registry import task_class
from germline.programs.architecture.counts import count
from germline.programs.architecture.genome import Architecture, InvalidArchitecture, read
from germline.programs.architecture.latency import LatencyTable, predicted
from germline.programs.architecture.skeleton import Skeleton


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
        latency: the data of a table by which its latency is predicted, an objective then.
        hurdle: after this share of the training its loss is looked at; a candidate for which that is more than the
            limit lets through is rejected. 0: no hurdle.
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
        latency: Mapping[str, Any] | None = None,
        hurdle: float = 0.0,
    ) -> None:
        torch.set_num_threads(1)
        keep_freed_memory()
        self.device = resolve(device)
        found = task_class(task)(self.device)
        if not isinstance(found, CellTask):
            raise TypeError(f"expected a task for architectures, got {task}")
        self.task = found
        self.seed = seed
        self.hurdle = hurdle
        fixed = found.skeleton
        self.trained = fixed or Skeleton(channels, cells, found.classes, found.image)
        self.full = fixed or Skeleton(full_channels, full_cells, found.classes, found.image)
        self.table = LatencyTable.of(latency) if latency else None

    @property
    def objectives(self) -> Sequence[Objective]:
        return (*self.task.objectives, Objective("latency", "min")) if self.table else self.task.objectives

    def score(self, genomes: Sequence[str], rung: int, seed: int, limit: Limit | None = None) -> list[Outcome]:
        """An outcome for each genome. They are measured together, and each is charged its share of the time."""
        began = time.perf_counter()
        read_ones = [_read(genome) for genome in genomes]
        architectures = [one for one in read_ones if isinstance(one, Architecture)]
        entropy = self.seed, rung, seed
        counts = [count(one, self.full) for one in architectures]
        hurdle = Hurdle(self.hurdle, tuple(most(limit, one.params) for one in counts)) if self.hurdle else None
        size = self.task.rungs[rung]
        found = iter(self.task.measure(architectures, self.trained, size, entropy, hurdle=hurdle))
        outcomes = [
            self._outcome(one, next(found)) if isinstance(one, Architecture) else Outcome("rejected", error=one)
            for one in read_ones
        ]
        seconds, worker = time.perf_counter() - began, f"{socket.gethostname()}:{os.getpid()}"
        share = seconds / max(1, len(architectures))
        shares = [share if isinstance(one, Architecture) else 0.0 for one in read_ones]
        return [replace(one, seconds=taken, worker=worker) for one, taken in zip(outcomes, shares, strict=True)]

    def validate(self, genomes: Sequence[str], rung: int, seed: int) -> list[float | None]:
        read_ones = [_read(genome) for genome in genomes]
        architectures = [one for one in read_ones if isinstance(one, Architecture)]
        entropy = self.seed, rung, seed
        found = iter(self.task.measure(architectures, self.trained, self.task.rungs[rung], entropy, "heldout"))
        fates = [next(found) if isinstance(one, Architecture) else None for one in read_ones]
        return [None if fate is None else fate["heldout_error"] for fate in fates]

    def _outcome(self, architecture: Architecture, measures: Mapping[str, float] | None) -> Outcome:
        if measures is None:
            return Outcome("diverged", error="the loss was not finite")
        if "validation_error" not in measures:
            cause = f"training loss {measures['hurdle']:.4g}, more than at this hurdle was allowed"
            return Outcome("rejected", measures=measures, error=cause)
        if not math.isfinite(measures["validation_error"]):
            return Outcome("diverged", error=f"the validation error was {measures['validation_error']}")
        found = dict(measures)
        error = found.pop("validation_error")
        counts = count(architecture, self.full)
        objectives = {"validation_error": error, "params": float(counts.params), "macs": float(counts.macs)}
        if self.table:
            objectives["latency"] = predicted(architecture, self.full, self.table)
        return Outcome("ok", -error, objectives, found)


def _read(genome: str) -> Architecture | str:
    """The architecture of a genome, or what is wrong with it."""
    try:
        return read(genome)
    except InvalidArchitecture as invalid:
        return str(invalid)
