"""Tasks by name: the built-in ones, those of installed packages, and classes in files of the user's own.

A name is all that another process needs to construct the task. Listing the names imports neither torch nor any task.
"""

import inspect
import sys
from dataclasses import dataclass
from difflib import get_close_matches
from hashlib import sha256
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from germline.evaluators.errors import InvalidTask, UnknownTask, in_a_line

if TYPE_CHECKING:
    from germline.evaluators.architecture.task import CellTask
    from germline.evaluators.task import Episodes, Rung, Task

GROUP = "germline.tasks"
_HOME = "germline.evaluators.tasks"
BUILT_IN: dict[str, tuple[str, str]] = {
    "digits-mlp": (f"{_HOME}.digits_mlp:DigitsMLP", "perceptron 64-32-32-10 on 1,797 handwritten digits of 8×8"),
    "mnist5k-conv": (f"{_HOME}.mnist5k_conv:MNIST5kConv", "two convolutions and a linear layer on 5,000 MNIST digits"),
    "text-transformer": (
        f"{_HOME}.text_transformer:TextTransformer",
        "character transformer, 2 layers of width 32, on 4.3 million characters of English",
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
    "hard-maze-pixels": (f"{_HOME}.hard_maze:HardMazePixels", "the same maze, seen in pictures of 84×84"),
}
FAMILIES: dict[str, tuple[str, str, str]] = {
    "gym": (f"{_HOME}.gym:GymTask", "gym:<id>", "an environment of gymnasium by its id, such as gym:CartPole-v1"),
    "atari": (
        f"{_HOME}.atari:AtariTask",
        "atari:<game>",
        "a game of the Atari 2600 by its name, such as atari:frostbite",
    ),
}
"""Tasks of which there are many: by what stands before the colon, the class that makes them (`of(name)`), how such a
task is written, and what it is."""


@dataclass(frozen=True)
class TaskName:
    """A task that can be named, and one line about it."""

    name: str
    summary: str


@dataclass(frozen=True)
class TaskDescription:
    """What a task declares; `parameters` is the number of parameters of its model, None if candidates are models."""

    name: str
    kind: str
    version: int
    summary: str
    rungs: "tuple[Rung, ...] | tuple[Episodes, ...]"
    parameters: int | None


def task_names() -> list[TaskName]:
    """All tasks that have a name: the built-in ones first, then those of installed packages, by name."""
    built_in = [TaskName(name, summary) for name, (_, summary) in BUILT_IN.items()]
    built_in += [TaskName(written, summary) for _, written, summary in FAMILIES.values()]
    return built_in + [
        TaskName(name, f"from {point.dist.name if point.dist else point.module}")
        for name, point in _installed().items()
    ]


def task_class(name: str) -> "type[Task]":
    """The class behind a name of `task_names()` or behind `path/to/file.py:Class`.

    Raises:
        UnknownTask: there is no such name.
        InvalidTask: a file, package or class is missing, cannot be imported, or is not a usable `Task`.
    """
    if _is_file(name):
        path, class_name = _parts(name)
        return _checked(name, _member(name, _load(name, path), class_name))
    if name in BUILT_IN:
        return _checked(name, _imported(BUILT_IN[name][0]))
    family, _, member = name.partition(":")
    if family in FAMILIES and member:
        of, written, _ = FAMILIES[family]
        made: type[Task] = _imported(of) if name == written else _imported(of).of(member)
        return made
    installed = _installed()
    if name in installed:
        return _checked(name, _load_entry(name, installed[name]))
    families = [form for _, form, _ in FAMILIES.values()]
    nearest = get_close_matches(name, [*BUILT_IN, *families, *installed], n=1, cutoff=0.0)
    raise UnknownTask(
        f"unknown task {name!r}; the nearest is {nearest[0]!r}. "
        "`germline tasks` lists all; a task of your own is written path/to/file.py:Class"
    )


def _imported(place: str) -> Any:
    module, _, name = place.partition(":")
    return getattr(import_module(module), name)


def describe(name: str) -> TaskDescription:
    """What the task declares of itself. Raises what `task_class` raises."""
    task = task_class(name)
    known = {one.name: one.summary for one in task_names()} if name not in _installed() else {}
    summary = known.get(name) or (inspect.getdoc(task) or "").partition("\n")[0]
    leaves = getattr(task, "leaves", None)
    parameters = sum(leaf.size for leaf in leaves) if leaves else None
    return TaskDescription(
        name if name in known else task.name, task.kind, task.version, summary, task.rungs, parameters
    )


def absolute_name(name: str) -> str:
    """The same task for a process in another working directory: a file's path made absolute, other names as they are.

    Raises:
        InvalidTask: the file does not exist, or no class is given.
    """
    if not _is_file(name):
        return name
    path, class_name = _parts(name)
    return f"{path.resolve()}:{class_name}"


def _is_file(name: str) -> bool:
    return name.endswith(".py") or ".py:" in name


def _parts(name: str) -> tuple[Path, str]:
    file, _, class_name = name.rpartition(":") if ".py:" in name else (name, "", "")
    if not class_name:
        raise InvalidTask(f"task {name!r} names a file but no class; write {file}:Class")
    path = Path(file)
    if not path.is_file():
        raise InvalidTask(f"task {name!r}: there is no file {file}; check the path (working directory: {Path.cwd()})")
    return path, class_name


def _installed() -> dict[str, EntryPoint]:
    return {point.name: point for point in sorted(entry_points(group=GROUP)) if point.name not in BUILT_IN}


def _load(name: str, path: Path) -> ModuleType:
    """Import a file once a process. It is registered in `sys.modules`, where dataclasses look for their module."""
    key = f"germline_task_{sha256(str(path.resolve()).encode()).hexdigest()[:16]}"
    if key in sys.modules:
        return sys.modules[key]
    spec = spec_from_file_location(key, path)
    if spec is None or spec.loader is None:
        raise InvalidTask(f"task {name!r}: {path} is not a Python file")
    module = sys.modules[key] = module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[key]
        raise InvalidTask(
            f"task {name!r}: importing {path} failed with {in_a_line(error)}; correct the file"
        ) from error
    return module


def _member(name: str, module: ModuleType, class_name: str) -> object:
    if not hasattr(module, class_name):
        classes = [
            key for key, value in vars(module).items() if inspect.isclass(value) and value.__module__ == module.__name__
        ]
        raise InvalidTask(
            f"task {name!r}: no class {class_name!r} in the file; it defines {', '.join(classes) or 'no class'}"
        )
    return getattr(module, class_name)


def _load_entry(name: str, point: EntryPoint) -> object:
    try:
        return point.load()
    except Exception as error:
        raise InvalidTask(
            f"task {name!r}: the installed entry point {point.value!r} failed with {in_a_line(error)}; "
            "repair or uninstall the package it came with"
        ) from error


def _checked(name: str, found: object) -> "type[Task]":
    """`found`, if it is a class that a search can use."""
    from germline.evaluators.architecture.task import CellTask
    from germline.evaluators.optimizer.task import Leaf, TrainingTask
    from germline.evaluators.policy.task import PolicyTask
    from germline.evaluators.task import Episodes, Rung, Task

    if not (inspect.isclass(found) and issubclass(found, Task)):
        raise InvalidTask(
            f"task {name!r} is not a TrainingTask; derive it from germline.evaluators.task.TrainingTask or, "
            "for architectures, germline.evaluators.architecture.task.CellTask, for policies, "
            "germline.evaluators.policy.task.PolicyTask"
        )
    if missing := sorted(found.__abstractmethods__):
        raise InvalidTask(f"task {name!r} does not define {', '.join(missing)}; a task of its kind has to")
    if not isinstance(getattr(found, "name", None), str):
        raise InvalidTask(f'task {name!r} has no name; add name = "..." to the class')
    lists: dict[str, type] = {"rungs": Episodes if issubclass(found, PolicyTask) else Rung}
    if issubclass(found, TrainingTask):
        lists["leaves"] = Leaf
    for attribute, kind in lists.items():
        declared = getattr(found, attribute, None)
        if not (isinstance(declared, tuple) and declared and all(isinstance(item, kind) for item in declared)):
            raise InvalidTask(
                f"task {name!r}: {attribute} has to be a tuple of at least one {kind.__name__}, not {declared!r}; "
                f"add {attribute} = ({kind.__name__}(...), ...) to the class"
            )
    if issubclass(found, CellTask):
        _check_cells(name, found)
    if issubclass(found, PolicyTask) and len(found.rungs) != 3:
        raise InvalidTask(f"task {name!r}: rungs has to be three, to train, review and test, not {found.rungs!r:.80}")
    for attribute in ("at_once", "slots", "stacked_slots"):
        count = getattr(found, attribute, 1)
        if type(count) is not int or count < 1:
            raise InvalidTask(f"task {name!r}: {attribute} has to be a whole number from 1, not {count!r:.60}")
    return found


def _check_cells(name: str, found: "type[CellTask]") -> None:
    from germline.programs.architecture.cells import SPACES

    classes, image = getattr(found, "classes", None), getattr(found, "image", None)
    if type(classes) is not int or classes < 1:
        raise InvalidTask(f"task {name!r}: classes has to be a whole number from 1, not {classes!r:.60}")
    whole = isinstance(image, tuple) and len(image) == 3 and all(type(one) is int and one > 0 for one in image)
    if not whole:
        raise InvalidTask(f"task {name!r}: image has to be (channels, height, width), not {image!r:.60}")
    if found.space is not None and found.space not in SPACES:
        raise InvalidTask(
            f"task {name!r}: space has to be one of {', '.join(SPACES)}, or None, not {found.space!r:.60}"
        )
