"""Scores optimizer programs by training a task's model with them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from germline.evaluators.device import resolve
from germline.evaluators.evaluator import Evaluator, Rejected
from germline.evaluators.hurdle import Hurdle, Limit, limit_for
from germline.evaluators.loaded_task import loaded_task
from germline.evaluators.optimizer.engine import prepare
from germline.evaluators.optimizer.task import TrainingTask
from germline.evaluators.optimizer.trainer import train
from germline.evaluators.optimizer.training_loop import TrainingResult
from germline.evaluators.optimizer.training_outcome import diverged, scored
from germline.evaluators.outcome import Outcome, mean_of
from germline.evaluators.task import Rung, Split
from germline.programs.optimizer import InvalidProgram, Program, parse, trace


class OptimizerEvaluator(Evaluator[Program]):
    """Scores optimizer programs; the fitness is minus the validation loss after training, averaged over replicates. A
    task may have another objective.

    Args:
        task: the name of a training task.
        seed: the run's seed; batches and initial weights follow from (seed, rung, evaluation seed, replicate), so all
            candidates of a run are compared on the same batches and initial weights.
        lengths: one replicate per number, trained for that multiple of the rung's steps. Different lengths keep a
            search from fitting constants to one length of training.
        hurdle: share of the longest training after which the training loss is reported as the measure `hurdle`, and a
            candidate above the limit of `score` is rejected. 0: no hurdle.
        device: `auto`, `cpu` or `cuda`.

    Raises:
        TypeError: the task is for another kind.
        NoDevice: the device is not available.
        UnknownTask, InvalidTask: see `task_class`.
    """

    def __init__(
        self, task: str, seed: int, device: str = "cpu", lengths: Sequence[float] = (1.0,), hurdle: float = 0.0
    ) -> None:
        loaded = loaded_task(task, TrainingTask, resolve(device))  # type: ignore[type-abstract]
        super().__init__(loaded, resolve(device))
        self.task = loaded
        self.rungs = loaded.rungs
        """The rungs of the task; a trial of the task shortens them."""
        prepare(self.device)
        self.seed = seed
        self.lengths = tuple(lengths)
        self.hurdle = hurdle

    @classmethod
    def warm_up(cls) -> None:
        prepare("cpu")

    def read(self, text: str) -> Program | Rejected:
        try:
            program = parse(text)
            trace(program)
        except InvalidProgram as invalid:
            return Rejected(str(invalid))
        return program

    def evaluate(
        self, genomes: Sequence[Program], rung: int, seed: int, split: Split, limit: Limit | None
    ) -> list[Outcome]:
        """Trains all replicates for a search; a validation trains once, for the steps of the rung."""
        if split == "validation":
            trainings = self._train_replicates(genomes, rung, seed, limit)
            return [self._outcome(results, len(self.lengths), split) for results in trainings]
        results = train(self.task, genomes, self.rungs[rung], (self.seed, rung, seed), self.device, split)
        return [self._outcome([result], 1, split) for result in results]

    def _train_replicates(
        self, programs: Sequence[Program], rung: int, seed: int, limit: Limit | None
    ) -> list[list[TrainingResult]]:
        """Results of each program, one per replicate up to the first in which it diverged or was rejected."""
        amount = self.rungs[rung]
        alive = list(range(len(programs)))
        trainings: list[list[TrainingResult]] = [[] for _ in programs]
        for replicate, length in enumerate(self.lengths):
            if not alive:
                break
            steps = Rung(max(1, round(amount.steps * length)), amount.batch)
            entropy = (self.seed, rung, seed, replicate)
            places = alive if self.independent else range(len(programs))
            still = set(alive)
            # Where the pack keeps its shape, a copy trains in the place of a program that is out.
            pack = [programs[i if i in still else alive[0]] for i in places]
            hurdle = Hurdle(self.hurdle, (limit_for(limit),) * len(pack)) if self._has_hurdle(replicate) else None
            results = train(self.task, pack, steps, entropy, self.device, hurdle=hurdle)
            for i, result in zip(places, results, strict=True):
                if i in still:
                    trainings[i].append(result)
            alive = [i for i in alive if trainings[i][-1].measures is not None]
        return trainings

    def _has_hurdle(self, replicate: int) -> bool:
        """True for the longest replicate, where early stopping saves most, if there is a hurdle."""
        return self.hurdle > 0 and replicate == self.lengths.index(max(self.lengths))

    def _outcome(self, results: Sequence[TrainingResult], replicates: int, split: Split) -> Outcome:
        measures = [result.measures for result in results if result.measures is not None]
        if len(measures) < replicates:
            return _failure(results[-1])
        mean = {name: mean_of([replicate[name] for replicate in measures]) for name in measures[0]}
        outcome = scored(self.task, mean, split)
        return replace(outcome, measures={**outcome.measures, **_losses(measures), **_hurdle_loss(results)})


def _losses(measures: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The loss of each replicate, if there are several."""
    return {f"loss_{i}": replicate["loss"] for i, replicate in enumerate(measures)} if len(measures) > 1 else {}


def _hurdle_loss(results: Sequence[TrainingResult]) -> dict[str, float]:
    """The measure `hurdle`: the loss at the hurdle. Empty if no training reached it; only the longest replicate has a
    hurdle."""
    losses = [result.hurdle_loss for result in results if result.hurdle_loss is not None]
    return {"hurdle": losses[-1]} if losses else {}


def _failure(result: TrainingResult) -> Outcome:
    """The outcome of a program whose last training gave no measures: `rejected` at the hurdle, else `diverged`."""
    if not result.dropped:
        return diverged(result.step)
    loss = "not finite" if result.hurdle_loss is None else f"{result.hurdle_loss:.4g}"
    error = f"training loss {loss} at step {result.step}, above the threshold of the hurdle"
    return Outcome("rejected", measures={"step": result.step, **_hurdle_loss([result])}, error=error)
