"""A training task: data, a model written for many candidates at once, and the amount of training at each rung."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, ClassVar

from germline.evaluators.outcome import Objective
from germline.evaluators.task import Rung, Split, Task

if TYPE_CHECKING:
    import torch
    from torch import Tensor


@dataclass(frozen=True)
class Leaf:
    """One parameter tensor of the model: its name, its shape and the standard deviation it starts with (0: zeros)."""

    name: str
    shape: tuple[int, ...]
    std: float

    @property
    def size(self) -> int:
        return prod(self.shape)


class TrainingTask(Task):
    """A supervised problem on which optimizer programs are trained.

    A subclass names itself, lists its rungs and leaves, loads its data in `__init__(device)` and writes its model
    batched over candidates. The held-out split is never read by a search.
    """

    kind = "optimizer"
    rungs: ClassVar[tuple[Rung, ...]]
    leaves: ClassVar[tuple[Leaf, ...]]
    at_once: ClassVar[int] = 16
    """How many candidates pass through the model together on a CPU, where their activations must fit the cache."""
    objectives = (Objective("validation_loss", "min"),)

    @abstractmethod
    def size(self, split: Split) -> int:
        """How many examples a split holds; batches are drawn as indices in `[0, size)`."""

    @abstractmethod
    def loss(self, params: Mapping[str, Tensor], split: Split, index: Tensor) -> Tensor:
        """The mean training loss of each candidate on the examples `index`.

        Args:
            params: for each leaf, a tensor of shape `[N, *leaf.shape]`.
            split: where the examples come from.
            index: int64 of shape `[batch]`, the same examples for every candidate.

        Returns:
            A tensor of shape `[N]`, each entry depending on its own candidate's parameters only.
        """

    @abstractmethod
    def measure(self, params: Mapping[str, Tensor], split: Split) -> dict[str, Tensor]:
        """Numbers on the whole of a split (or a fixed sample of it), each of shape `[N]`.

        `loss` must be there. An objective is the measure of its name, and the loss if there is none of that name.
        """

    def start(self, generator: torch.Generator) -> dict[str, Tensor]:
        """Initial parameters of one candidate, drawn on the CPU so that every device starts from the same bits."""
        import torch  # here, since not all tasks need it, and it takes seconds

        return {leaf.name: leaf.std * torch.randn(leaf.shape, generator=generator) for leaf in self.leaves}
