"""The contract of tasks for architectures: image classification by networks of an architecture's cells."""

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

    Fitness comes from the validation split; a search never reads the held-out split.

    Attributes:
        rungs: lengths of training.
        image: channels, height, width.
        classes: number of classes.
        skeleton: skeleton of all networks, if the task fixes it, as a table of trained networks does; None: any.
        space: name of the only space whose architectures it takes; None: any.
    """

    kind = "architecture"
    rungs: ClassVar[tuple[Rung, ...]]
    image: ClassVar[tuple[int, int, int]]
    classes: ClassVar[int]
    skeleton: ClassVar[Skeleton | None] = None
    space: ClassVar[str | None] = None
    objectives = (Objective("validation_error", "min"), Objective("params", "min"), Objective("macs", "min"))

    @classmethod
    def chance_error(cls) -> float:
        """Returns the validation error of always answering the same class, in percent; by default as if all classes had
        equally many images. A search hands over a network with a smaller error, if it has found any."""
        return 100.0 * (1.0 - 1.0 / cls.classes)

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
        """Trains the network of each architecture for a rung, and measures it on a split.

        Args:
            architectures: the architecture of each candidate.
            skeleton: of the networks that are trained.
            rung: length of the training, one of `rungs`.
            seed: entropy of the initial weights and of the batches, the same for every candidate.
            split: on which the trained networks are measured; a search never passes `heldout`.
            hurdle: where losses are compared with thresholds for early stopping; None: no candidate is dropped.

        Returns:
            Measures of each candidate: `validation_error` (for the held-out split `heldout_error`) in percent, and
            further measures of the task. A candidate that was dropped at the hurdle has no error, only its training
            loss at the hurdle, as `hurdle`. None if the training diverged.

        Raises:
            NoHeldout: the task has no held-out split.
        """
