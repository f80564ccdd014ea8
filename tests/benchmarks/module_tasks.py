"""A task of an ordinary module beside its twin that is written for many candidates, and beside one after the other.

Each side trains for some steps, with the update of each candidate by its own program. Seconds are those of the
processor: the sides take turns, and the least of some rounds counts.
"""

import itertools
import time
from collections.abc import Callable

import modules
from candidate_steps import programs

from germline.evaluators.memory import keep_freed_memory
from germline.evaluators.optimizer import trainer
from germline.evaluators.optimizer.module_task import ModuleTask
from germline.evaluators.optimizer.task import TrainingTask
from germline.evaluators.task import Rung
from germline.evaluators.tasks.registry import task_class

ROUNDS = 5
STEPS = 5
LONG = 10_000
"""Steps of a training that is never finished."""
CANDIDATES = {"digits-mlp": (64, 256), "mnist5k-conv": (16,), "text-transformer": (16,)}


def module_task(name: str) -> ModuleTask:
    """The model of a built-in task as an ordinary module, on the same data."""
    module, train, validation = modules.MODULES[name]("cpu")
    data = {"train": train, "validation": validation, "heldout": validation}
    own = type("Own", (ModuleTask,), {"name": name, "model": module, "data": lambda self: data})
    own.rungs = task_class(name).rungs
    made: ModuleTask = own()
    return made


def training(task: TrainingTask, count: int) -> Callable[[], None]:
    """A function that trains `count` candidates for `STEPS` more steps; they are not measured."""
    pack = trainer._Pack(task, programs(count), Rung(LONG, task.rungs[0].batch), (0,), "cpu")
    numbers = itertools.count(1)

    def steps() -> None:
        for _ in range(STEPS):
            pack.step(next(numbers))

    return steps


def seconds(sides: list[Callable[[], None]], rounds: int = ROUNDS) -> list[float]:
    """Processor seconds of each side, the least of some rounds in turn."""
    best = [float("inf")] * len(sides)
    for _ in range(rounds):
        for number, side in enumerate(sides):
            began = time.process_time()
            side()
            best[number] = min(best[number], time.process_time() - began)
    return best


def compared(name: str, count: int) -> list[dict[str, object]]:
    own, alone = module_task(name), module_task(name)
    alone.set_way("alone")
    sides = [training(own, count), training(task_class(name)(), count), training(alone, count)]
    for side in sides:
        side()
    ours, twin, one_by_one = seconds(sides)
    steps = STEPS * count
    return [
        {
            "name": f"module-tasks/{name}/{count}",
            "value": steps / ours,
            "unit": "candidate-steps/s",
            "baseline": baseline,
            "ratio": other / ours,
        }
        for baseline, other in (("written for many candidates", twin), ("one candidate after the other", one_by_one))
    ]


def rows() -> list[dict[str, object]]:
    keep_freed_memory()
    return [row for name, counts in CANDIDATES.items() for count in counts for row in compared(name, count)]
