"""The tasks `nb201-*`: errors of trained networks, looked up in the table of NAS-Bench-201 (Dong and Yang 2020)."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np

from germline.evaluators.architecture.task import CellTask
from germline.evaluators.data.load import nb201
from germline.evaluators.hurdle import Hurdle
from germline.evaluators.task import NoHeldout, Rung, Split
from germline.programs.architecture.cells import SPACES
from germline.programs.architecture.genome import Architecture
from germline.programs.architecture.skeleton import Skeleton

OPERATIONS = SPACES["nb201"].operations
"""Operations in the order in which the table numbers them."""


class TrainedCellTask(CellTask):
    """A table of trained networks. The error of a cell is its mean validation error over the two or three seeds of its
    trainings.

    The only rung is the amount of training in the table. The error does not depend on the seed of an evaluation.
    """

    data: ClassVar[str]
    space = "nb201"
    light = True
    heldout = False
    batch_invariant = True

    def __init__(self, device: str = "cpu") -> None:
        self._table = nb201(self.data)
        self._error = 100 - np.nanmean(self._table.accuracy.astype(np.float64), axis=1)

    def measure(
        self,
        architectures: Sequence[Architecture],
        skeleton: Skeleton,
        rung: Rung,
        seed: Sequence[int],
        split: Split = "validation",
        hurdle: Hurdle | None = None,
    ) -> list[Mapping[str, float] | None]:
        """See `CellTask.measure`. A hurdle has no effect, since all networks of the table are trained.

        Raises:
            NoHeldout: `split` is not `validation`.
            ValueError: an architecture is not a cell of the space.
        """
        if split != "validation":
            raise NoHeldout(f"{self.name} is a table of validation errors, and has no held-out images")
        return [self._row(architecture) for architecture in architectures]

    def _row(self, architecture: Architecture) -> Mapping[str, float]:
        edges = [edge for cell in architecture.cells for edge in cell.edges]
        if architecture.inputs != 1 or len(edges) != 6 or any(name not in OPERATIONS for name, _ in edges):
            raise ValueError("expected a cell of the space nb201: six edges of its five operations")
        place = 0
        for name, _ in edges:
            place = len(OPERATIONS) * place + OPERATIONS.index(name)
        return {
            "validation_error": float(self._error[place]),
            "training_seconds": float(self._table.seconds[place]),
            "latency": float(self._table.latency[place]),
        }


class CIFAR10Cells(TrainedCellTask):
    """CIFAR-10: 25,000 images to train on and as many to validate, 200 epochs."""

    name, data = "nb201-cifar10", "cifar10"
    image, classes = (3, 32, 32), 10
    skeleton = Skeleton(channels=16, cells=15, classes=10, image=(3, 32, 32))
    rungs = (Rung(19_600, 256),)


class CIFAR100Cells(TrainedCellTask):
    """CIFAR-100: 50,000 images to train on and 5,000 to validate, 200 epochs."""

    name, data = "nb201-cifar100", "cifar100"
    image, classes = (3, 32, 32), 100
    skeleton = Skeleton(channels=16, cells=15, classes=100, image=(3, 32, 32))
    rungs = (Rung(39_200, 256),)


class ImageNet16Cells(TrainedCellTask):
    """ImageNet16-120: 151,700 images of 16×16 to train on and 3,000 to validate, 200 epochs."""

    name, data = "nb201-imagenet16", "imagenet16"
    image, classes = (3, 16, 16), 120
    skeleton = Skeleton(channels=16, cells=15, classes=120, image=(3, 16, 16))
    rungs = (Rung(118_600, 256),)
