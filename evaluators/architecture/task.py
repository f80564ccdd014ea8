"""A task for architectures: images sorted into classes, and what a network of some cells comes to on them."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar

from germline.evaluators.hurdle import Hurdle
from germline.evaluators.outcome import Objective
from germline.evaluators.task import Rung, Split, Task
from germline.programs.architecture.genome import Architecture
from germline.programs.architecture.skeleton import Skeleton


class CellTask(Task):
    """A classification problem on which architectures are compared.

    `skeleton` is what surrounds the cells and `space` the one whose cells it takes, if the task fixes them, as a table
    of trained networks does. The fitness comes from a validation part of the training data; held-out images are never
    read by a search.
    """

    kind = "architecture"
    rungs: ClassVar[tuple[Rung, ...]]
    image: ClassVar[tuple[int, int, int]]
    classes: ClassVar[int]
    skeleton: ClassVar[Skeleton | None] = None
    space: ClassVar[str | None] = None
    objectives = (Objective("validation_error", "min"), Objective("params", "min"), Objective("macs", "min"))

    @abstractmethod
    def measure(
        self,
        architectures: Sequence[Architecture],
        skeleton: Skeleton,
        rung: Rung,
        seed: Sequence[int],
        split: Split = "validation",
        hurdle: Hurdle | None = None,
    ) -> list[Mapping[str, float] | None]:
        """What the networks of these cells come to after the training of a rung.

        Args:
            architectures: the cells of each candidate.
            skeleton: of the networks that are trained.
            rung: how long, one of `rungs`.
            seed: entropy of the initial weights and of the batches, the same for every candidate.
            split: where the trained networks are measured; a search never asks for the held-out one.
            hurdle: where to look at the training loss, and what is too large there.

        Returns:
            For each candidate `validation_error` in percent (`heldout_error` of that split) and whatever else was seen;
            for one that was dropped at the hurdle what it showed there, as `hurdle`, and no error; None if its training
            diverged.

        Raises:
            NoHeldout: the held-out split is asked for, and there is none.
        """
