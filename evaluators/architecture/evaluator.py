"""Scores architectures: the validation error of their network on a task, and its cost."""

from collections.abc import Mapping, Sequence
from typing import Any

from germline.evaluators.architecture.task import CellTask
from germline.evaluators.device import resolve
from germline.evaluators.errors import shown
from germline.evaluators.evaluator import Evaluator, Rejected
from germline.evaluators.hurdle import Hurdle, Limit, limit_for
from germline.evaluators.loaded_task import loaded_task
from germline.evaluators.outcome import NoNumber, Objective, Outcome, number_of
from germline.evaluators.task import Split
from germline.programs.architecture.counts import Counts, count
from germline.programs.architecture.genome import Architecture, InvalidArchitecture, read
from germline.programs.architecture.latency import LatencyTable, predicted
from germline.programs.architecture.skeleton import Skeleton


class ArchitectureEvaluator(Evaluator[Architecture]):
    """Scores architectures; the fitness is minus the validation error in percent.

    Parameters and multiply-accumulates are counted for the full network; the error is measured on a smaller network
    that is trained in its place. If the task fixes the network, both are the same network.

    Args:
        task: the name of a task for architectures.
        seed: the run's seed; initial weights and batches follow from (seed, rung, evaluation seed).
        device: `auto`, `cpu` or `cuda`.
        cells, channels: size of the network that is trained.
        full_cells, full_channels: size of the network that is counted.
        latency: data of a latency table; predicted latency is then an objective. None: it is not.
        hurdle: in a search, the share of the training after which the training loss is reported as the measure
            `hurdle`, and a candidate whose loss is above the `limit` passed to `score` is rejected. 0: no hurdle.

    Raises:
        TypeError: the task is for another kind.
        NoDevice: the device is not available.
        UnknownTask, InvalidTask: see `task_class`.
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
        loaded = loaded_task(task, CellTask, resolve(device))  # type: ignore[type-abstract]
        super().__init__(loaded, resolve(device))
        self.task = loaded
        self.rungs = loaded.rungs
        """The rungs of the task; a trial of the task shortens them."""
        self.seed = seed
        self.hurdle = hurdle
        self.trained = loaded.skeleton or Skeleton(channels, cells, loaded.classes, loaded.image)
        self.full = loaded.skeleton or Skeleton(full_channels, full_cells, loaded.classes, loaded.image)
        self.table = LatencyTable.of(latency) if latency else None
        if self.table:
            self.objectives = (*loaded.objectives, Objective("latency", "min"))

    def read(self, text: str) -> Architecture | Rejected:
        try:
            return read(text)
        except InvalidArchitecture as invalid:
            return Rejected(str(invalid))

    def evaluate(
        self, genomes: Sequence[Architecture], rung: int, seed: int, split: Split, limit: Limit | None
    ) -> list[Outcome]:
        counts = [count(architecture, self.full) for architecture in genomes]
        hurdle = None
        if self.hurdle and split == "validation":
            hurdle = Hurdle(self.hurdle, tuple(limit_for(limit, counted.params) for counted in counts))
        entropy = self.seed, rung, seed
        measured = self.task.measure(genomes, self.trained, self.rungs[rung], entropy, split, hurdle)
        return [
            self._outcome(architecture, counted, measures, f"{split}_error")
            for architecture, counted, measures in zip(genomes, counts, measured, strict=True)
        ]

    def _outcome(
        self, architecture: Architecture, counts: Counts, measures: Mapping[str, float] | None, name: str
    ) -> Outcome:
        """The outcome of an architecture from its task's measures (None: it diverged); `name` is that of the error."""
        if measures is None:
            return Outcome("diverged", error="the loss was not finite")
        if not isinstance(measures, Mapping):
            return Outcome("crashed", error=f"expected measures of {self.task.name} by name, got {shown(measures)}")
        if name not in measures:
            if not self.hurdle:
                cause = f"expected {name} in the measures of {self.task.name}, got {shown(list(measures))}"
                return Outcome("crashed", error=cause)
            loss = f"{measures['hurdle']:.4g}" if "hurdle" in measures else "not finite"
            cause = f"training loss {loss}, above the threshold of the hurdle"
            return Outcome("rejected", measures=measures, error=cause)
        try:
            error = number_of(name, measures[name])
        except NoNumber as cause:
            return Outcome("crashed", error=str(cause))
        objectives = {name: error, "params": float(counts.params), "macs": float(counts.macs)}
        if self.table:
            objectives["latency"] = predicted(architecture, self.full, self.table)
        others = {key: value for key, value in measures.items() if key != name}
        return Outcome("ok", -error, objectives, others)
