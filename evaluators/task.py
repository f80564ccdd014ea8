"""The contract of tasks: what genomes of a kind are scored on, and the amount of training or playing at each rung."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Literal

from germline.evaluators.outcome import Objective

Split = Literal["train", "validation", "heldout"]


@dataclass(frozen=True)
class Rung:
    """An amount of training: optimizer steps, and the batch size."""

    steps: int
    batch: int

    def __str__(self) -> str:
        return f"{self.steps:,} steps of {self.batch}"


@dataclass(frozen=True)
class Episodes:
    """An amount of playing: episodes per policy."""

    episodes: int

    def __str__(self) -> str:
        return "1 episode" if self.episodes == 1 else f"{self.episodes} episodes"


class NoHeldout(ValueError):
    """The task has no held-out data."""


class Task(ABC):
    """What genomes of a kind are scored on; a subclass declares its name, its rungs and its objectives.

    `kind` is the kind of genome; `version` changes whenever the same genome gets other numbers.
    """

    kind: ClassVar[str]
    name: ClassVar[str]
    version: ClassVar[int] = 1
    rungs: ClassVar[tuple[Rung, ...] | tuple[Episodes, ...]]
    objectives: ClassVar[tuple[Objective, ...]]
    heldout: ClassVar[bool] = True
    """True if the task has held-out data, on which `germline validate` measures."""
    light: ClassVar[bool] = False
    """True if a pack is scored in milliseconds, so that worker processes cost more than they save."""

    @abstractmethod
    def __init__(self, device: str = "cpu") -> None: ...

    @classmethod
    def check_data(cls) -> None:
        """Checks by file name that the task's data are on this machine, before a search is recorded.

        Raises:
            ValueError: a file is missing; the message says where to get it and where to put it.
        """
        return
