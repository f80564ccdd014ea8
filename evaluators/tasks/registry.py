"""Tasks by name.

The forms of names are those of `name_grammar` beside this file. Another process builds the task from the name alone,
for which a path has to be absolute (`absolute_name` there). Listing the names imports neither torch nor any task.
"""

import inspect
import shlex
from contextlib import suppress
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any

from germline.evaluators.errors import InvalidTask, UnconfirmedTask, UnknownTask, in_a_line, of_foreign_code, one_line
from germline.evaluators.tasks import task_files
from germline.evaluators.tasks.name_grammar import absolute_name, is_in_file, names_of, split_family, split_variant

if TYPE_CHECKING:
    from germline.evaluators.task import Episodes, Rung, Task

GROUP = "germline.tasks"
"""Entry-point group in which an installed package lists its tasks."""
_HOME = "germline.evaluators.tasks"
BUILT_IN: dict[str, tuple[str, str]] = {
    "digits-mlp": (f"{_HOME}.digits_mlp:DigitsMLP", "perceptron 64-32-32-10 on 1,797 handwritten digits of 8×8"),
    "mnist5k-conv": (f"{_HOME}.mnist5k_conv:MNIST5kConv", "two convolutions and a linear layer on 5,000 MNIST digits"),
    "text-transformer": (
        f"{_HOME}.text_transformer:TextTransformer",
        "character transformer, 2 layers of width 32, on 4.3 million characters of English",
    ),
    "text-transformer-deep": (
        f"{_HOME}.text_transformer_deep:DeepTextTransformer",
        "character transformer, 4 layers of width 16, on the same text",
    ),
    "text-gru": (f"{_HOME}.text_gru:TextGRU", "recurrent character model, a GRU of width 32, on the same text"),
    "text-conv": (
        f"{_HOME}.text_conv:TextConv",
        "convolutional character model, four layers of width 32, on the same text",
    ),
    "mnist5k-autoencoder": (
        f"{_HOME}.mnist5k_autoencoder:MNIST5kAutoencoder",
        "autoencoder of eight layers, without norms, of 5,000 MNIST digits at 14×14",
    ),
    "mnist5k-noisy": (
        f"{_HOME}.mnist5k_noisy:MNIST5kNoisy",
        "perceptron 196-32-32-10 on MNIST digits at 14×14, four in ten training labels wrong",
    ),
    "digits-small-batch": (
        f"{_HOME}.digits_small_batch:DigitsSmallBatch",
        "convolution and a linear layer on the digits of 8×8, two examples a step",
    ),
    "diamonds-mlp": (f"{_HOME}.diamonds_mlp:DiamondsMLP", "perceptron 26-32-32-1 for the prices of 8,000 diamonds"),
    "digits-deep": (
        f"{_HOME}.digits_deep:DigitsDeep",
        "perceptron of 12 hidden layers of width 16, without norms, on the digits of 8×8",
    ),
    "digits-cells": (f"{_HOME}.image_cells:DigitsCells", "cells of a network for 1,797 handwritten digits of 8×8"),
    "mnist5k-cells": (f"{_HOME}.image_cells:MNIST5kCells", "cells of a network for 5,000 MNIST digits"),
    "fashion-cells": (
        f"{_HOME}.large_images:FashionCells",
        "cells of a network for Fashion-MNIST, 70,000 images of 28×28 from your data directory",
    ),
    "cifar10-cells": (
        f"{_HOME}.large_images:CIFAR10Cells",
        "cells of a network for CIFAR-10, 60,000 images of 32×32 from your data directory",
    ),
    "cifar100-cells": (
        f"{_HOME}.large_images:CIFAR100Cells",
        "cells of a network for CIFAR-100, 60,000 images of 32×32 from your data directory",
    ),
    "nb201-cifar10": (f"{_HOME}.nb201:CIFAR10Cells", "NAS-Bench-201's 15,625 cells, trained on CIFAR-10: a table"),
    "nb201-cifar100": (f"{_HOME}.nb201:CIFAR100Cells", "the same cells, trained on CIFAR-100"),
    "nb201-imagenet16": (f"{_HOME}.nb201:ImageNet16Cells", "the same cells, trained on ImageNet16-120"),
    "hard-maze": (f"{_HOME}.hard_maze:HardMazeTask", "policies of a robot in a maze that deceives, with range finders"),
    "hard-maze-pixels": (f"{_HOME}.hard_maze:HardMazePixels", "the same maze, observed as pictures of 84×84"),
}
"""Module and class of each built-in task, and a line about it."""
FAMILIES: dict[str, tuple[str, str, str]] = {
    "gym": (f"{_HOME}.gym:GymTask", "gym:<id>", "an environment of gymnasium by its id, such as gym:CartPole-v1"),
    "atari": (
        f"{_HOME}.atari:AtariTask",
        "atari:<game>",
        "a game of the Atari 2600 by its name, such as atari:frostbite",
    ),
}
"""Tasks with a parameter, by the prefix before the colon: the class whose `of(parameter)` returns the task, the form of
the name, and a line about it."""


@dataclass(frozen=True)
class TaskName:
    """The name of a task, and one line about it."""

    name: str
    summary: str


@dataclass(frozen=True)
class TaskDescription:
    """The declarations of a task; `parameters` is the size of its model, None if candidates are the models."""

    name: str
    kind: str
    version: int
    held_out_task: bool
    summary: str
    rungs: "tuple[Rung, ...] | tuple[Episodes, ...]"
    parameters: int | None


def task_names() -> list[TaskName]:
    """Returns built-in tasks, then families of tasks, then tasks of installed packages, these in alphabetical order."""
    built_in = [TaskName(name, summary) for name, (_, summary) in BUILT_IN.items()]
    families = [TaskName(form, summary) for _, form, summary in FAMILIES.values()]
    installed = [
        TaskName(name, f"from {point.dist.name if point.dist else point.module}")
        for name, point in _installed().items()
    ]
    return [*built_in, *families, *installed]


def task_class(name: str) -> "type[Task]":
    """Returns the class of a task by a name of `task_names()` or by `path/to/file.py:Class`; of several tasks for
    optimizers by their names joined by `+`, of a variant by the name and the variant, as in `digits-mlp@rescaled`.

    Raises:
        UnknownTask: there is no such name.
        InvalidTask: a file, package or class is missing, cannot be imported, or is not a usable `Task`.
    """
    if len(names := names_of(name)) > 1:
        from germline.evaluators.optimizer.several_tasks import several_tasks

        return several_tasks(names, [task_class(each) for each in names])
    prefix, parameter = split_family(name)
    if "@" in name and prefix not in FAMILIES:
        base, variant = split_variant(name)
        if variant is not None:
            from germline.evaluators.tasks.variants import task_variant  # here, since it imports torch

            return task_variant(task_class(base), base, variant)
    if is_in_file(name):
        return _checked(name, task_files.load(name))
    if name in BUILT_IN:
        return _checked(name, _imported(BUILT_IN[name][0]))
    if prefix in FAMILIES and parameter and parameter.isprintable():
        place, form, _ = FAMILIES[prefix]
        family = _imported(place)
        task: type[Task] = family if name == form else family.of(parameter)
        return task
    installed = _installed()
    if name in installed:
        return _checked(name, _load_entry_point(name, installed[name]))
    raise UnknownTask(
        f"unknown task {name!r}; the nearest is {_nearest(name)!r}. "
        "`germline tasks` lists all; a task of your own is written path/to/file.py:Class"
    )


def _nearest(name: str) -> str:
    """Returns the name of a task that is spelled most alike, whatever the case of its letters; of an environment of
    gymnasium also if `gym:` is missing."""
    forms = [form for _, form, _ in FAMILIES.values()]
    known = {each.lower(): each for each in [*BUILT_IN, *forms, *_installed()]}
    with suppress(ImportError):
        from gymnasium import registry  # here, since few commands need it, and it may not be installed

        known = {each.lower(): f"gym:{each}" for each in registry} | known
    return known[get_close_matches(name.lower(), known, n=1, cutoff=0.0)[0]]


def describe(name: str) -> TaskDescription:
    """Returns the declarations of a task. Raises the errors of `task_class`."""
    from germline.evaluators.optimizer.task import TrainingTask  # here, so that listing names stays cheap

    task = task_class(name)
    summaries = {entry.name: entry.summary for entry in task_names()} if name not in _installed() else {}
    summary = summaries.get(name) or one_line(inspect.getdoc(task) or "")
    parameters = sum(spec.size for spec in task.parameters) if issubclass(task, TrainingTask) else None
    listed_name = name if name in summaries else task.name
    return TaskDescription(listed_name, task.kind, task.version, task.held_out_task, summary, task.rungs, parameters)


def needs_confirmation(name: str) -> bool:
    """Returns True if the name of a task decides which file or module is imported: `path/to/file.py:Class`, and
    `gym:<module>:<id>`, for which gymnasium imports the module. Of several tasks, one is enough."""
    if len(names := names_of(name)) > 1:
        return any(needs_confirmation(each) for each in names)
    prefix, parameter = split_family(name)
    return is_in_file(name) or (prefix in FAMILIES and ":" in parameter)


def confirmed_name(recorded: str, named: str | None = None) -> str:
    """Returns the name of a run's task, once it is safe to import the task.

    A database is data, and may come from anywhere: it must not choose code to import. A task that is built in or
    installed is safe; any other task is imported only if the user names it too.

    Args:
        recorded: the name in the database.
        named: the name that the user gave in this command, or None. It may have a relative path.

    Raises:
        UnconfirmedTask: the user has to name the task and did not, or named another task.
        InvalidTask: the user named a file that does not exist, or no class.
    """
    if named is not None and recorded not in (named, absolute_name(named)):
        raise UnconfirmedTask(f"expected --task {shlex.quote(recorded)}, the task of the run, got {named!r:.200}")
    if named is None and needs_confirmation(recorded):
        raise UnconfirmedTask(
            "expected the task of the run by name, because it is code that a database must not choose; "
            f"if you trust it, add --task {shlex.quote(recorded)}"
        )
    return recorded


def _imported(place: str) -> Any:
    module, _, name = place.partition(":")
    return getattr(import_module(module), name)


def _installed() -> dict[str, EntryPoint]:
    """Entry points of installed packages by name; names of built-in tasks are left out."""
    return {point.name: point for point in sorted(entry_points(group=GROUP)) if point.name not in BUILT_IN}


def _load_entry_point(name: str, point: EntryPoint) -> object:
    try:
        return point.load()
    except of_foreign_code() as error:
        raise InvalidTask(
            f"task {name!r}: the installed entry point {point.value!r} failed with {in_a_line(error)}; "
            "repair or uninstall the package it came with"
        ) from error


def _checked(name: str, task: object) -> "type[Task]":
    from germline.evaluators.tasks.task_checks import checked  # here, since it imports the contracts of all kinds

    return checked(name, task)
