"""The subject of a trial: a task, with genomes to score on it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from germline.evaluators.architecture.evaluator import ArchitectureEvaluator
from germline.evaluators.evaluator import Evaluator, EvaluatorSpec
from germline.evaluators.optimizer.evaluator import OptimizerEvaluator
from germline.evaluators.task import Rung, Task
from germline.evaluators.tasks.image_cells import ImageCellTask
from germline.evaluators.tasks.name_grammar import absolute_name
from germline.evaluators.tasks.registry import task_class
from germline.programs.optimizer import library, parse
from germline.programs.optimizer.primitives import PRIMITIVES
from germline.programs.optimizer.space import OptimizerSpace
from germline.search.kinds import kind_named

SEED = 1
STEPS = 50
"""Most steps of a training in a trial."""
DIVERGING = "def train(w, g, lr):\n  a = exp10(w)\n  b = a * 1e30\n  update = b * b\n  return update\n"
"""A program whose parameters are infinite after its first step."""
SETTINGS: Mapping[str, Sequence[str]] = {
    "optimizer": (),
    "architecture": ("cells=3", "channels=4", "full_cells=3", "full_channels=4"),
    "policy": ("episodes=2", "steps=100", "sigma=0.5", "test_episodes=2"),
}
"""Settings of a trial by kind: small networks and few episodes, since a trial has to be short."""
GENOMES: Mapping[str, int] = {"optimizer": 16, "architecture": 4, "policy": 6}
"""Number of genomes that are scored together; of optimizers as many as in a default pack."""


@dataclass(frozen=True)
class Subject:
    """A task, its evaluator as data, and genomes.

    Args:
        task: the class of the task.
        spec: the evaluator with which the genomes are scored, on a CPU.
        genomes: texts of valid genomes of the task's kind, a pack.
        diverging: the text of a genome that diverges; None for kinds in which every genome is sound.
    """

    task: type[Task]
    spec: EvaluatorSpec
    genomes: tuple[str, ...]
    diverging: str | None

    def evaluator(self, **options: Any) -> Evaluator[Any]:
        """A new evaluator with the task loaded anew, whose trainings are short; `options` replace those of the spec."""
        evaluator = EvaluatorSpec(
            self.spec.kind, self.spec.task, self.spec.seed, self.spec.device, {**self.spec.options, **options}
        ).build()
        shorten(evaluator)
        return evaluator


def shorten(evaluator: Evaluator[Any]) -> None:
    """Limits the rungs of an evaluator, in place, to `STEPS` steps: for optimizers, and for architectures on an
    `ImageCellTask`. Other tasks for architectures, such as a table, may know only their own rungs; policies have no
    trainings."""
    if isinstance(evaluator, OptimizerEvaluator) or (
        isinstance(evaluator, ArchitectureEvaluator) and isinstance(evaluator.task, ImageCellTask)
    ):
        evaluator.rungs = tuple(Rung(min(rung.steps, STEPS), rung.batch) for rung in evaluator.rungs)


def subject_of(name: str) -> Subject:
    """The subject for the task of a name.

    Raises:
        UnknownTask, InvalidTask, BadSetting: the task cannot be loaded.
    """
    task = task_class(name)
    task.check_data()
    kind = kind_named(task.kind)
    space = getattr(task, "space", None)
    assignments = [*SETTINGS[task.kind], *([f"space={space}"] if space else [])]
    settings = kind.prepare(kind.resolve({}, assignments), task)
    spec = EvaluatorSpec(task.kind, absolute_name(name), SEED, "cpu", kind.evaluator_options(settings))
    count = GENOMES[task.kind]
    if task.kind == "optimizer":
        return Subject(task, spec, _programs(count), DIVERGING)
    genomes_space, rng = kind.space(settings), np.random.default_rng(SEED)
    drawn = [genomes_space.draw(rng).genome for _ in range(count)]
    if task.kind == "policy":  # initial weights alone are so small that all policies act alike
        drawn = [genomes_space.vary(policy, "mutate", rng).genome for policy in drawn]
    return Subject(task, spec, tuple(map(genomes_space.write, drawn)), None)


def _programs(count: int) -> tuple[str, ...]:
    """`count` programs: those of the library that have core functions alone, then variants with other constants."""
    programs = [parse(text) for text in library().values()]
    core = [program for program in programs if all(PRIMITIVES[line.function].core for line in program.body)]
    rng = np.random.default_rng(SEED)
    variants = [OptimizerSpace(program).vary(program, "tune", rng).genome for program in core]
    return tuple(OptimizerSpace(program).write(program) for program in [*core, *variants][:count])
