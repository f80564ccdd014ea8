"""Scores trainings: optimizers with a schedule and a length of their own, measured on validation or held-out data."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from germline.evaluators.device import resolve
from germline.evaluators.errors import in_a_line, of_foreign_code
from germline.evaluators.evaluator import Evaluator, Rejected
from germline.evaluators.hurdle import Limit
from germline.evaluators.loaded_task import loaded_task
from germline.evaluators.memory import out_of_memory
from germline.evaluators.optimizer.class_trainer import train_with_class
from germline.evaluators.optimizer.engine import prepare
from germline.evaluators.optimizer.task import TrainingTask
from germline.evaluators.optimizer.torch_classes import optimizer_class
from germline.evaluators.optimizer.trainer import train
from germline.evaluators.optimizer.training import ClassUse, InvalidTraining, Training, read_training
from germline.evaluators.optimizer.training_loop import TrainingResult
from germline.evaluators.optimizer.training_outcome import diverged, scored
from germline.evaluators.outcome import Outcome
from germline.evaluators.task import Rung, Split
from germline.programs.optimizer import InvalidProgram, Program, parse, trace

TRAINING_VERSION = 2
"""Changes whenever the same training gets other numbers, and `SCORING_VERSION` does not."""
CURVE_POINTS = 20
"""Losses of a curve, evenly spread over the training; the last is that of the trained model."""


@dataclass(frozen=True)
class ReadTraining:
    """A training with its program parsed; None for a class."""

    training: Training
    program: Program | None


class TrainingEvaluator(Evaluator[ReadTraining]):
    """Scores trainings of optimizers; the fitness is that of the task's first objective on the training's own split.

    The measures `curve_00`, `curve_01`, … of a training with a curve are its losses on the way. Trainings of one pack
    that have the same length and split train together, on the same batches and from the same weights: these follow from
    (seed, rung, evaluation seed), so that contenders with one evaluation seed are paired.

    Args:
        task: the name of a training task.
        seed: of all batches and initial weights.
        device: `auto`, `cpu` or `cuda`.
        rung: index into the task's rungs; lengths are multiples of it.
        classes: for each class of torch that trainings may use, by its name there, what `optimizer_class` imports.

    Raises:
        TypeError: the task is for another kind.
        InvalidClass: a class cannot be imported.
    """

    def __init__(
        self, task: str, seed: int, device: str = "cpu", rung: int = 0, classes: Mapping[str, str] | None = None
    ) -> None:
        loaded = loaded_task(task, TrainingTask, resolve(device))  # type: ignore[type-abstract]
        super().__init__(loaded, resolve(device))
        self.task = loaded
        prepare(self.device)
        self.seed, self.rung = seed, rung
        self.classes = {key: optimizer_class(name) for key, name in (classes or {}).items()}

    @classmethod
    def warm_up(cls) -> None:
        prepare("cpu")

    def read(self, text: str) -> ReadTraining | Rejected:
        try:
            training = read_training(text)
            if not isinstance(training.optimizer, str):
                if training.optimizer.name not in self.classes:
                    return Rejected(f"expected one of the named classes, got {training.optimizer.name!r:.80}")
                return ReadTraining(training, None)
            program = parse(training.optimizer)
            trace(program)
        except (InvalidTraining, InvalidProgram) as invalid:
            return Rejected(str(invalid))
        return ReadTraining(training, program)

    def evaluate(
        self, genomes: Sequence[ReadTraining], rung: int, seed: int, split: Split, limit: Limit | None
    ) -> list[Outcome]:
        """Trains with every optimizer. `rung`, `split` and `limit` are not read: a training has its own."""
        groups: dict[tuple[object, ...], list[int]] = {}
        for place, each in enumerate(genomes):
            training = each.training
            groups.setdefault((training.length, training.split, training.curve, each.program is None), []).append(place)
        outcomes: dict[int, Outcome] = {}
        for places in groups.values():
            outcomes |= zip(places, self._train([genomes[place] for place in places], seed), strict=True)
        return [outcomes[place] for place in range(len(genomes))]

    def _train(self, group: Sequence[ReadTraining], seed: int) -> list[Outcome]:
        """Trains a group with the same length, split and form of optimizer."""
        first = group[0].training
        amount = self.task.rungs[self.rung]
        rung = Rung(max(1, round(amount.steps * first.length)), amount.batch)
        curve = curve_steps(rung.steps) if first.curve else ()
        entropy = (self.seed, self.rung, seed)
        programs = [each.program for each in group if each.program is not None]
        schedules = [each.training.schedule for each in group]
        if programs:
            results = train(
                self.task, programs, rung, entropy, self.device, first.split, schedules=schedules, curve_steps=curve
            )
            return [self._outcome(result, first.split) for result in results]
        outcomes = []
        for each in group:
            use = each.training.optimizer
            assert isinstance(use, ClassUse)
            try:
                result = train_with_class(
                    *(self.task, self.classes[use.name], use.arguments, rung, entropy),
                    *(self.device, first.split, each.training.schedule, curve),
                )
            except of_foreign_code() as error:  # a class of the user's; what fits no memory is an outcome too
                outcomes.append(Outcome("oom" if out_of_memory(error) else "crashed", error=in_a_line(error)))
            else:
                outcomes.append(self._outcome(result, first.split))
        return outcomes

    def _outcome(self, result: TrainingResult, split: Split) -> Outcome:
        if result.measures is None:
            return diverged(result.step)
        curve = {f"curve_{i:02}": loss for i, loss in enumerate(result.curve)}
        return scored(self.task, result.measures, split, curve)


def curve_steps(steps: int) -> tuple[int, ...]:
    """Returns the steps after which a curve is measured, fewer than `CURVE_POINTS` in a shorter training."""
    return tuple(sorted({max(1, round(steps * (i + 1) / CURVE_POINTS)) for i in range(CURVE_POINTS)}))
