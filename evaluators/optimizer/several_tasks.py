"""A task of several tasks for optimizers: a program is trained on each, and its fitness is the mean of its gains."""

from collections.abc import Sequence
from typing import ClassVar

from germline.evaluators.errors import InvalidTask
from germline.evaluators.outcome import Objective
from germline.evaluators.task import Rung, Task
from germline.evaluators.tasks.name_grammar import joined

GAIN = Objective("gain", "max")
"""Mean over the tasks of the gain over each task's reference, in its units (`germline.evaluators.optimizer.reference`).
"""
LONGEST_LABEL = 60
"""Most characters of a task's name in the names of objectives and measures."""


class SeveralTasks(Task):
    """The declarations of several tasks together, a subclass for each list of tasks. It has no data of its own: its
    evaluator loads each task.

    Attributes:
        tasks: the full name of each task, in the order in which the user named them.
        labels: a short name of each task, for objectives and measures such as `digits-mlp:validation_loss`.

    `version` is the sum of the tasks' versions, so it rises with any of them. A rung has the steps of all tasks
    together, and their largest batch.
    """

    kind = "optimizer"
    heldout = False  # each task is validated by itself
    tasks: ClassVar[tuple[str, ...]]
    labels: ClassVar[tuple[str, ...]]
    classes: ClassVar[tuple[type[Task], ...]]

    def __init__(self, device: str = "cpu") -> None:
        return

    @classmethod
    def check_data(cls) -> None:
        for each in cls.classes:
            each.check_data()


def several_tasks(names: Sequence[str], classes: Sequence[type[Task]]) -> type[SeveralTasks]:
    """The task of these tasks.

    Args:
        names: the full name of each, at least two.
        classes: the class of each.

    Raises:
        InvalidTask: one is for another kind, or two of them have the same name.
    """
    for name, each in zip(names, classes, strict=True):
        if each.kind != "optimizer":
            raise InvalidTask(f"expected tasks for kind optimizer as several, got {name}, which is for {each.kind}")
    labels = tuple(each.name[:LONGEST_LABEL] for each in classes)
    if twice := [name for place, name in enumerate(names) if labels[place] in labels[:place]]:
        raise InvalidTask(f"expected tasks of different names, got {twice[0]} after one of its name; leave one out")
    rungs = zip(*(each.rungs for each in classes), strict=False)  # as many as all tasks have
    declared = {
        "name": joined(labels),
        "version": sum(each.version for each in classes),
        "rungs": tuple(Rung(sum(rung.steps for rung in level), max(rung.batch for rung in level)) for level in rungs),
        "objectives": (GAIN, *(_labelled(label, each) for label, each in zip(labels, classes, strict=True))),
        "batch_invariant": all(each.batch_invariant for each in classes),
        "held_out_task": any(each.held_out_task for each in classes),
        "light": all(each.light for each in classes),
        "tasks": tuple(names),
        "labels": labels,
        "classes": tuple(classes),
    }
    return type("SeveralTasks", (SeveralTasks,), declared)


def _labelled(label: str, task: type[Task]) -> Objective:
    """The first objective of a task, under a name that no other task's has."""
    return Objective(f"{label}:{task.objectives[0].name}", task.objectives[0].direction)
