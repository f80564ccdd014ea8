"""Loading the task of an evaluator that computes with torch."""

from typing import TypeVar

import torch

from germline.evaluators.device import compute_exactly
from germline.evaluators.memory import keep_freed_memory
from germline.evaluators.task import Task
from germline.evaluators.tasks.registry import task_class

T = TypeVar("T", bound=Task)


def loaded_task(name: str, expected: type[T], device: str) -> T:
    """Returns a task with its data, and sets what scoring on it needs in this process: one thread of torch, memory that
    is kept when it is freed, and exact products on a GPU.

    Args:
        name: of the task.
        expected: the class that its tasks derive from, such as `TrainingTask`.
        device: `cpu` or `cuda`.

    Raises:
        TypeError: the task is for another kind.
        UnknownTask, InvalidTask: see `task_class`.
    """
    torch.set_num_threads(1)
    keep_freed_memory()
    compute_exactly(device)
    task = task_class(name)(device)
    if not isinstance(task, expected):
        raise TypeError(f"expected a task for kind {expected.kind}, got {name}")
    return task
