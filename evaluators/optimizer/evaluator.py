"""Scores optimizer programs by training a task's model with them."""

import logging
import os
import socket
import time
from collections.abc import Sequence
from dataclasses import replace
from statistics import fmean

import torch

from germline.evaluators.device import resolve
from germline.evaluators.hurdle import Hurdle, Limit, most
from germline.evaluators.memory import keep_freed_memory, out_of_memory, release_memory
from germline.evaluators.optimizer.engine import prepare
from germline.evaluators.optimizer.task import TrainingTask
from germline.evaluators.optimizer.trainer import Trained, train
from germline.evaluators.outcome import Objective, Outcome
from germline.evaluators.task import Rung, Split
from germline.evaluators.tasks.registry import task_class
from germline.programs.optimizer import InvalidProgram, Program, parse, trace

log = logging.getLogger(__name__)


class TrainingEvaluator:
    """Fitness of a program: minus the validation loss after training, averaged over replicates.

    Args:
        task: the name of a training task.
        seed: the run's seed; data order and initial weights follow from (seed, rung, evaluation seed, replicate), so
            all candidates of a run are compared on the same ones.
        lengths: one replicate for each number, trained for that multiple of the rung's steps. Different lengths keep
            a search from fitting constants to one length of training.
        hurdle: after this share of the longest training a candidate's loss is noted, as the measure `hurdle`; if it
            is over the limit that `score` got, the candidate is rejected. 0: no hurdle.
        device: `auto`, `cpu` or `cuda`.
    """

    def __init__(
        self, task: str, seed: int, device: str = "cpu", lengths: Sequence[float] = (1.0,), hurdle: float = 0.0
    ) -> None:
        torch.set_num_threads(1)
        keep_freed_memory()
        self.device = resolve(device)
        found = task_class(task)(self.device)
        if not isinstance(found, TrainingTask):
            raise TypeError(f"expected a task for optimizers, got {task}")
        self.task = found
        prepare(self.device)
        self.seed = seed
        self.lengths = tuple(lengths)
        self.hurdle = hurdle
        self.fits: dict[int, int] = {}
        """How many candidates the device's memory holds at a batch size, once it has been too small."""

    @property
    def objectives(self) -> Sequence[Objective]:
        return self.task.objectives

    def score(self, genomes: Sequence[str], rung: int, seed: int, limit: Limit | None = None) -> list[Outcome]:
        began = time.perf_counter()
        programs = [_read(genome) for genome in genomes]
        valid = [program for program in programs if isinstance(program, Program)]
        trained = iter(self._train(valid, self.task.rungs[rung], rung, seed, limit))
        outcomes = [program if isinstance(program, Outcome) else next(trained) for program in programs]
        share = (time.perf_counter() - began) / len(genomes)
        worker = f"{socket.gethostname()}:{os.getpid()}"
        return [replace(outcome, seconds=share, worker=worker) for outcome in outcomes]

    def validate(self, genomes: Sequence[str], rung: int, seed: int) -> list[float | None]:
        programs = [_read(genome) for genome in genomes]
        valid = [program for program in programs if isinstance(program, Program)]
        name = self.task.objectives[0].name
        trained = iter(self._fit(valid, self.task.rungs[rung], (self.seed, rung, seed), None, "heldout"))
        fates = [next(trained).measures if isinstance(program, Program) else None for program in programs]
        return [None if found is None else found.get(name, found["loss"]) for found in fates]

    def _train(
        self, programs: Sequence[Program], size: Rung, rung: int, seed: int, limit: Limit | None
    ) -> list[Outcome]:
        """Replicate after replicate; who diverged or was dropped in one does not train in the next."""
        alive = list(range(len(programs)))
        trained: dict[int, list[Trained]] = {i: [] for i in alive}
        for replicate, length in enumerate(self.lengths):
            if not alive:
                break
            steps = Rung(max(1, round(size.steps * length)), size.batch)
            entropy = (self.seed, rung, seed, replicate)
            hurdle = Hurdle(self.hurdle, (most(limit),) * len(alive)) if self._looks(replicate) else None
            found = self._fit([programs[i] for i in alive], steps, entropy, hurdle)
            for i, result in zip(alive, found, strict=True):
                trained[i].append(result)
            alive = [i for i in alive if trained[i][-1].measures is not None]
        return [self._outcome(results) for results in trained.values()]

    def _looks(self, replicate: int) -> bool:
        """Whether the hurdle stands in this replicate: the longest, where most is to be saved."""
        return self.hurdle > 0 and replicate == self.lengths.index(max(self.lengths))

    def _fit(
        self,
        programs: Sequence[Program],
        steps: Rung,
        entropy: Sequence[int],
        hurdle: Hurdle | None,
        split: Split = "validation",
    ) -> list[Trained]:
        """Trains as many at once as the memory holds: a pack that runs out of it is split, and the size remembered."""
        size = min(self.fits.get(steps.batch, len(programs)), len(programs))
        found: list[Trained] = []
        while len(found) < len(programs):
            these = slice(len(found), len(found) + size)
            part = programs[these]
            try:
                looked = hurdle.of(these) if hurdle else None
                found += train(self.task, part, steps, entropy, self.device, split, looked)
                continue
            except Exception as error:
                if len(part) == 1 or not out_of_memory(error):
                    raise
            # Here, and not above: until the error is forgotten it holds on to what filled the memory.
            size = self.fits[steps.batch] = len(part) // 2
            release_memory(self.device)
            message = "the memory of %s does not hold %d candidates; training %d at once"
            log.warning(message, self.device, len(part), size)
        return found

    def _outcome(self, results: Sequence[Trained]) -> Outcome:
        measures = [result.measures for result in results if result.measures is not None]
        if len(measures) < len(self.lengths):
            last = results[-1].step
            if results[-1].dropped:
                loss = results[-1].hurdle
                shown = {} if loss is None else {"hurdle": loss}
                what = "not finite" if loss is None else f"{loss:.4g}"
                error = f"training loss {what} at step {last}, more than at this hurdle was allowed"
                return Outcome("rejected", measures={"step": last, **shown}, error=error)
            return Outcome("diverged", measures={"step": last}, error=f"loss or parameters not finite by step {last}")
        objective = self.task.objectives[0]
        mean = {name: fmean(found[name] for found in measures) for name in measures[0]}
        spread = {f"loss_{i}": found["loss"] for i, found in enumerate(measures)} if len(measures) > 1 else {}
        # `loss` is what every task measures; an objective that has no measure of its own is that.
        value = mean.get(objective.name, mean["loss"])
        sign = -1.0 if objective.direction == "min" else 1.0
        looked = [("hurdle", result.hurdle) for result in results if result.hurdle is not None]
        others = {name: number for name, number in mean.items() if name not in ("loss", objective.name)}
        return Outcome("ok", sign * value, {objective.name: value}, {**others, **spread, **dict(looked)})


def _read(genome: str) -> Program | Outcome:
    try:
        program = parse(genome)
        trace(program)
    except InvalidProgram as invalid:
        return Outcome("rejected", error=str(invalid))
    return program
