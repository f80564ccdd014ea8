"""Variants of training tasks, `digits-mlp@rescaled,batch=8,steps=400`: other scales of storage, batch sizes, lengths,
and products of matrices in bfloat16.

An optimizer that was found on one task need not be good on others. Learned optimizers generalised when they were
trained on many variants of their tasks, tensors stored at random scales among them (Wichrowska et al. 2017, Metz et al.
2022): a rule that relies on the size of weights or gradients fails there.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from copy import copy
from dataclasses import dataclass
from functools import cache
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from germline.evaluators.errors import InvalidTask, UnknownTask, one_line
from germline.evaluators.optimizer.task import TrainingTask
from germline.evaluators.task import Rung, Split, Task

FORM = "TASK@rescaled,bf16,batch=N,steps=N"
WORDS = ("rescaled", "bf16")
"""Changes that are a word, by the attribute of `Variant`."""
MAGNITUDE = 3.0
"""Scales are drawn from 10^-3 to 10^3, their logarithms evenly."""
LARGEST = 10_000_000


@dataclass(frozen=True)
class Variant:
    """What is changed. `rescaled`: tensors are stored at other scales. `bf16`: matrices are multiplied in bfloat16.
    `batch`: examples a step; `steps`: steps at rung 0, other rungs in proportion; None: those of the task."""

    rescaled: bool = False
    bf16: bool = False
    batch: int | None = None
    steps: int | None = None

    def __str__(self) -> str:
        numbers = [f"{key}={value}" for key in ("batch", "steps") if (value := getattr(self, key)) is not None]
        return ",".join([*(word for word in WORDS if getattr(self, word)), *numbers])

    def rungs(self, rungs: Sequence[Rung]) -> tuple[Rung, ...]:
        """Returns the rungs of the variant, from those of the task."""
        longer = 1.0 if self.steps is None else self.steps / rungs[0].steps
        return tuple(Rung(max(1, round(rung.steps * longer)), self.batch or rung.batch) for rung in rungs)


class TaskVariant(TrainingTask):
    """A variant of a training task. Its model computes what that of the task computes.

    Rescaled, each tensor is stored divided by a scale of its own, and multiplied by it before the model sees it; so its
    gradient is multiplied too. The scales are those of a training, see `for_training`.

    With `bf16` products of matrices and convolutions take and give bfloat16, by torch's autocast; parameters,
    gradients, norms, losses and the optimizer keep float32, and so does a backward pass that a task has written out.
    Candidates may round differently in other packs.
    """

    base: ClassVar[type[TrainingTask]]
    variant: ClassVar[Variant]

    def __init__(self, device: str = "cpu") -> None:
        self.inner = self.base(device)
        self.device_type = torch.device(device).type
        self.scales: Mapping[str, float] = {}
        """The scale of each tensor by name; none before `for_training`."""

    @classmethod
    def check_data(cls) -> None:
        cls.base.check_data()

    def for_training(self, seed: Sequence[int]) -> TrainingTask:
        drawn = copy(self)
        drawn.inner = self.inner.for_training(seed)
        if self.variant.rescaled:
            exponents = np.random.default_rng([*seed, 2]).uniform(-MAGNITUDE, MAGNITUDE, len(self.parameters))
            names = [spec.name for spec in self.parameters]
            drawn.scales = dict(zip(names, (10.0**exponents).tolist(), strict=True))
        return drawn

    def start(self, generator: torch.Generator) -> dict[str, Tensor]:
        start = self.inner.start(generator)
        return {name: tensor / self.scales[name] if name in self.scales else tensor for name, tensor in start.items()}

    def size(self, split: Split) -> int:
        return self.inner.size(split)

    def loss(self, params: Mapping[str, Tensor], split: Split, index: Tensor) -> Tensor:
        with self._products():
            losses = self.inner.loss(self._of_model(params), split, index)
        return losses.float() if self.variant.bf16 else losses

    def measure(self, params: Mapping[str, Tensor], split: Split) -> dict[str, Tensor]:
        with torch.no_grad(), self._products():
            measures = self.inner.measure(self._of_model(params), split)
        return {name: value.float() for name, value in measures.items()} if self.variant.bf16 else measures

    def _products(self) -> AbstractContextManager[object]:
        """Where matrices are multiplied as the variant says. No cast is kept for a later call, since a step that is
        recorded would keep that of its recording."""
        if not self.variant.bf16:
            return nullcontext()
        return torch.autocast(self.device_type, torch.bfloat16, cache_enabled=False)

    def _of_model(self, params: Mapping[str, Tensor]) -> dict[str, Tensor]:
        scales = self.scales
        return {name: tensor * scales[name] if name in scales else tensor for name, tensor in params.items()}


def variant_of(name: str, text: str) -> Variant:
    """Returns the variant in a text, such as `rescaled,batch=8`; `name` is the task's, for the message.

    Raises:
        UnknownTask: it is no such text.
    """
    words, numbers = set[str](), dict[str, int]()
    for part in text.split(","):
        key, equals, value = part.partition("=")
        number = int(value) if value.isascii() and value.isdecimal() and len(value) < 9 else 0
        if part in WORDS and part not in words:
            words.add(part)
        elif key in ("batch", "steps") and equals and 0 < number <= LARGEST and key not in numbers:
            numbers[key] = number
        else:
            raise UnknownTask(f"expected a variant like {FORM}, one or more of the four, got {name}@{text:.60}")
    return Variant("rescaled" in words, "bf16" in words, **numbers)


def task_variant(task: type[Task], name: str, text: str) -> type[TaskVariant]:
    """Returns a variant of a task.

    Args:
        task: the class of the task.
        name: its name, as the user wrote it.
        text: of the variant.

    Raises:
        UnknownTask: the text is none of a variant.
        InvalidTask: the task is for another kind than optimizers.
    """
    variant = variant_of(name, text)
    if not issubclass(task, TrainingTask):
        raise InvalidTask(f"expected a task for optimizers before @{text}, got {name}, which is for {task.kind}")
    return _variant_class(task, variant)


@cache
def _variant_class(task: type[TrainingTask], variant: Variant) -> type[TaskVariant]:
    declared = {
        "__doc__": f"{one_line(task.__doc__ or task.name)} A variant: {variant}.",
        "name": f"{task.name}@{variant}",
        "base": task,
        "variant": variant,
        "version": task.version,
        "rungs": variant.rungs(task.rungs),
        "parameters": task.parameters,
        "objectives": task.objectives,
        "at_once": task.at_once,
        "batch_invariant": task.batch_invariant and not variant.bf16,
        "light": task.light,
        "heldout": task.heldout,
        "held_out_task": task.held_out_task,
    }
    return type("TaskVariant", (TaskVariant,), declared)
