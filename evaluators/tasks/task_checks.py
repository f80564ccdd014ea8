"""Checks that the class of a task declares everything that a search reads from it."""

import inspect
import math
from typing import Any

from germline.evaluators.architecture.task import CellTask
from germline.evaluators.errors import InvalidTask, shown
from germline.evaluators.optimizer.task import ParameterSpec, TrainingTask
from germline.evaluators.outcome import Objective
from germline.evaluators.policy.task import PolicyTask
from germline.evaluators.task import Episodes, Rung, Task
from germline.programs.architecture.cells import SPACES

_FORMER_NAMES = {"parameters": "leaves", "environment_spec": "world"}
"""Attributes that a task declares, and the names that they had at first."""


def checked(name: str, task: object) -> type[Task]:
    """Returns `task`, if it is a class that a search can use.

    Raises:
        InvalidTask: it is no such class; the message says what is missing, and quotes `name`, as the user wrote it.
    """
    is_task = inspect.isclass(task) and issubclass(task, Task)
    if inspect.isclass(task) and not is_task and hasattr(task, "step") and hasattr(task, "reset"):
        raise InvalidTask(
            f"task {name!r} is an environment: derive a class with a name from "
            f"germline.evaluators.tasks.gym.GymnasiumTask, whose method make returns {task.__name__}(), and name that"
        )
    if not (inspect.isclass(task) and issubclass(task, Task)):
        raise InvalidTask(
            f"task {name!r} is not a TrainingTask; derive it from germline.evaluators.optimizer.task.TrainingTask, for "
            "a torch.nn.Module germline.evaluators.optimizer.module_task.ModuleTask or, for architectures, "
            "germline.evaluators.architecture.task.CellTask, for policies, germline.evaluators.policy.task.PolicyTask "
            "or, with an environment of gymnasium, germline.evaluators.tasks.gym.GymnasiumTask"
        )
    if missing := sorted(task.__abstractmethods__):
        hints = "".join(_rename_hint(task, attribute) for attribute in missing)
        raise InvalidTask(f"task {name!r} does not define {', '.join(missing)}; a task of its kind has to{hints}")
    if not isinstance(getattr(task, "name", None), str):
        raise InvalidTask(f'task {name!r} has no name; add name = "..." to the class')
    _check_tuple(name, task, "rungs", Episodes if issubclass(task, PolicyTask) else Rung)
    _check_tuple(name, task, "objectives", Objective)
    if issubclass(task, TrainingTask):
        _check_tuple(name, task, "parameters", ParameterSpec)
    if issubclass(task, CellTask):
        _check_cells(name, task)
    if issubclass(task, PolicyTask) and hasattr(task, "world"):  # a base class may have the new name already
        raise InvalidTask(f"task {name!r} defines world, which is called environment_spec now; rename it")
    if issubclass(task, PolicyTask) and len(task.rungs) != 3:
        raise InvalidTask(
            f"task {name!r}: rungs has to be three, to train, review and test, not {shown(task.rungs, 80)}"
        )
    if issubclass(task, PolicyTask):
        _check_names(name, "behaviour_names", task.behaviour_names)
        _check_ranges(name, "behaviour_bounds", task.behaviour_bounds)
    for attribute in ("at_once", "slots", "stacked_slots", "measured"):
        _check_count(name, attribute, getattr(task, attribute, 1))
    for number, rung in enumerate(task.rungs):
        for attribute in ("steps", "batch"):
            _check_count(name, f"{attribute} of rung {number}", getattr(rung, attribute, 1))
    for attribute in ("batch_invariant", "held_out_task"):
        if not isinstance(value := getattr(task, attribute), bool):
            raise InvalidTask(f"task {name!r}: {attribute} has to be True or False, not {shown(value)}")
    return task


def _check_tuple(name: str, task: type[Task], attribute: str, item: type) -> None:
    declared = getattr(task, attribute, None)
    if not (isinstance(declared, tuple) and declared and all(isinstance(value, item) for value in declared)):
        raise InvalidTask(
            f"task {name!r}: {attribute} has to be a tuple of at least one {item.__name__}, not {shown(declared)}; "
            f"add {attribute} = ({item.__name__}(...), ...) to the class{_rename_hint(task, attribute)}"
        )


def _check_names(name: str, attribute: str, declared: object) -> None:
    if not (isinstance(declared, tuple) and all(isinstance(each, str) for each in declared)):
        raise InvalidTask(f"task {name!r}: {attribute} has to be a tuple of texts, not {shown(declared)}")


def _check_ranges(name: str, attribute: str, declared: object) -> None:
    if not (isinstance(declared, tuple) and all(map(_is_range, declared))):
        raise InvalidTask(
            f"task {name!r}: {attribute} has to be a tuple of pairs (low, high) of numbers, not {shown(declared)}"
        )


def _is_range(value: Any) -> bool:
    numbers = isinstance(value, tuple) and len(value) == 2 and all(type(end) in (int, float) for end in value)
    return numbers and -math.inf < value[0] < value[1] < math.inf


def _rename_hint(task: type[Task], attribute: str) -> str:
    """What to add to a message if the task declares a missing attribute by its former name; else nothing."""
    former = _FORMER_NAMES.get(attribute)
    return f", {former} is called {attribute} now" if former is not None and hasattr(task, former) else ""


def _check_cells(name: str, task: type[CellTask]) -> None:
    _check_count(name, "classes", getattr(task, "classes", None))
    image = getattr(task, "image", None)
    if not (isinstance(image, tuple) and len(image) == 3 and all(_is_count(side) for side in image)):
        raise InvalidTask(f"task {name!r}: image has to be (channels, height, width), not {shown(image)}")
    if task.space is not None and task.space not in SPACES:
        raise InvalidTask(
            f"task {name!r}: space has to be one of {', '.join(SPACES)}, or None, not {shown(task.space)}"
        )


def _check_count(name: str, attribute: str, value: Any) -> None:
    if not _is_count(value):
        raise InvalidTask(f"task {name!r}: {attribute} has to be a whole number from 1, not {shown(value)}")


def _is_count(value: Any) -> bool:
    return type(value) is int and value > 0
