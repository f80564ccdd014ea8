"""The contract of tasks for optimizers: data, a model batched over candidates, and the training at each rung."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, ClassVar

from germline.evaluators.outcome import Objective
from germline.evaluators.task import Rung, Split, Task

if TYPE_CHECKING:
    import torch
    from torch import Tensor

MEASURED_AT_ONCE = 250
"""Examples of a large model that are measured together, so that those of all candidates fit the memory."""


@dataclass(frozen=True)
class ParameterSpec:
    """A parameter tensor of a model: its name, shape and the standard deviation of its initial values (0: zeros)."""

    name: str
    shape: tuple[int, ...]
    std: float

    @property
    def size(self) -> int:
        return prod(self.shape)


class TrainingTask(Task):
    """A supervised problem on which optimizer programs are trained.

    A subclass declares its name, its rungs and the parameters of its model, loads its data in `__init__(device)` and
    writes the model batched over candidates. A search never reads the held-out split.
    """

    kind = "optimizer"
    rungs: ClassVar[tuple[Rung, ...]]
    parameters: ClassVar[tuple[ParameterSpec, ...]]
    at_once: ClassVar[int] = 16
    """Candidates that pass through the model together on a CPU, where their activations must fit the cache."""
    objectives = (Objective("validation_loss", "min"),)

    def for_training(self, seed: Sequence[int]) -> TrainingTask:
        """Returns the task as one training has it: this task, unless it has something to draw for each training, which
        it draws from `seed`, the entropy of the training. All candidates of a pack train on what is returned."""
        return self

    @abstractmethod
    def size(self, split: Split) -> int:
        """Returns the number of examples of a split; batches are drawn as indices in `[0, size)`."""

    @abstractmethod
    def loss(self, params: Mapping[str, Tensor], split: Split, index: Tensor) -> Tensor:
        """Returns the mean training loss of each candidate on the examples `index`.

        Args:
            params: for each parameter a tensor of shape `[N, *shape]`.
            split: the split that the examples belong to.
            index: int64 of shape `[batch]`, the same examples for every candidate.

        Returns:
            A tensor of shape `[N]`; an entry depends on the parameters of its own candidate alone.
        """

    @abstractmethod
    def measure(self, params: Mapping[str, Tensor], split: Split) -> dict[str, Tensor]:
        """Returns measures by name on a whole split, or a fixed sample of it, each of shape `[N]`.

        `loss` is required. An objective is the measure of its name, or the loss if there is no such measure.
        """

    def start(self, generator: torch.Generator) -> dict[str, Tensor]:
        """Returns the initial parameters of a candidate, drawn on the CPU to be the same bits on every device.

        Tensors under other names than those of `parameters` are not trained but kept: `loss` and `measure` get them
        beside the parameters, as `[N, *shape]`, and what they write into a candidate's row they find there next time.
        """
        import torch  # here, since not all tasks need it, and it takes seconds

        return {spec.name: spec.std * torch.randn(spec.shape, generator=generator) for spec in self.parameters}
