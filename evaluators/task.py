"""The contract of tasks: what genomes of a kind are scored on, and the amount of training or playing at each rung."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

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
    held_out_task: ClassVar[bool] = False
    """True if the whole task is held out: what was found on other tasks is judged on it. No preset searches on it."""
    light: ClassVar[bool] = False
    """True if a pack is scored in milliseconds, so that worker processes cost more than they save."""
    batch_invariant: ClassVar[bool] = False
    """True if on a CPU the numbers of a candidate do not depend, to the last bit, on how many candidates are computed
    beside it, which ones, and in which place it is. `germline tasks TASK --check` tries it. A task that does not claim
    it is scored in packs that keep their shape, see `independent_rows`."""

    def __init_subclass__(cls, **options: Any) -> None:
        """Sets `batch_invariant` to False in a subclass that has a `loss`, `measure` or `logits` of its own and does
        not claim it anew, because the claim is about code."""
        super().__init_subclass__(**options)
        if "batch_invariant" not in vars(cls) and {"loss", "measure", "logits"} & set(vars(cls)):
            cls.batch_invariant = False

    @abstractmethod
    def __init__(self, device: str = "cpu") -> None: ...

    @classmethod
    def check_data(cls) -> None:
        """Checks by file name that the task's data are on this machine, before a search is recorded.

        Raises:
            ValueError: a file is missing; the message says where to get it and where to put it.
        """
        return


def independent_rows(task: Task, device: str) -> bool:
    """Returns True if a candidate of a pack gets the same bits in any other pack, and alone.

    If not, a candidate's bits follow from its genome, its place in the pack and the number of rows of the pack, as long
    as all rows are computed to the end: so rows of candidates that are out stay, and a part of a pack is computed in a
    pack of the same shape. On other devices than a CPU no task's rows are independent, since libraries choose their
    products by the number of rows.
    """
    return task.batch_invariant and device == "cpu"
