"""A training task: data, a model written for many candidates at once, and the amount of training at each rung."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, ClassVar, Literal

from germline.evaluators.outcome import Objective

if TYPE_CHECKING:
    import torch
    from torch import Tensor

Split = Literal["train", "validation", "heldout"]


@dataclass(frozen=True)
class Rung:
    """An amount of training: optimizer steps, and examples a step."""

    steps: int
    batch: int

    def __str__(self) -> str:
        return f"{self.steps:,} steps of {self.batch}"


@dataclass(frozen=True)
class Episodes:
    """An amount of playing."""

    episodes: int

    def __str__(self) -> str:
        return "1 episode" if self.episodes == 1 else f"{self.episodes} episodes"


@dataclass(frozen=True)
class Leaf:
    """One parameter tensor of the model: its name, its shape and the standard deviation it starts with (0: zeros)."""

    name: str
    shape: tuple[int, ...]
    std: float

    @property
    def size(self) -> int:
        return prod(self.shape)


class NoHeldout(ValueError):
    """A task that keeps no data back."""


class Task(ABC):
    """What genomes of a kind are scored on. It names itself, and lists its rungs and what it measures.

    `kind` is the kind of genome; `version` changes whenever a genome comes to other numbers.
    """

    kind: ClassVar[str]
    name: ClassVar[str]
    version: ClassVar[int] = 1
    rungs: ClassVar[tuple[Rung, ...] | tuple[Episodes, ...]]
    objectives: ClassVar[tuple[Objective, ...]]
    heldout: ClassVar[bool] = True
    """Whether it keeps data back, to validate finds on."""
    light: ClassVar[bool] = False
    """Whether a pack is scored in milliseconds, so that more processes cost more than they bring."""

    @abstractmethod
    def __init__(self, device: str = "cpu") -> None: ...

    @classmethod
    def check_data(cls) -> None:
        """Raises ValueError, with what to get and where to put it, if the task's data are not on this machine.

        A search is refused then, before anything of it is recorded. Nothing is read: files are looked for by name.
        """
        return


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
