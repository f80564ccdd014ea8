"""The contract of tasks: what genomes of a kind are scored on, and how much of it each rung is."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Literal

from germline.evaluators.outcome import Objective

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
