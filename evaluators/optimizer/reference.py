"""What gains on a task are measured against, as plain data in the config of a run: recorded once, never computed again.

The reference of a task is a tuned optimizer. Its unit is the larger of two numbers: what the second half of the steps
gains it, and the standard deviation of its fitness between seeds. So a gain of 1 is worth about twice the training on
every task, whatever its loss is measured in, and no unit is so small that a gain is made of the luck of a seed. What is
worse by more than a unit counts by its logarithm, because the losses of bad programs differ by orders of magnitude, and
a task on which they do would decide alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from math import isfinite, log
from statistics import fmean
from typing import Any


@dataclass(frozen=True)
class Reference:
    """The reference of a task.

    Args:
        program: the text of the tuned optimizer.
        operations: floating-point operations of a training at rung 0, by which tasks are ordered, cheap ones first.
        fitness: by rung, as text, its fitness for each seed from 0 on.
        unit: by rung, as text, the difference of fitness that is a gain of 1.
    """

    program: str
    operations: float
    fitness: Mapping[str, Sequence[float]]
    unit: Mapping[str, float]

    def gain(self, fitness: float, rung: int, seed: int) -> float:
        """The gain of a fitness over the reference with the same rung and seed, in units; x units worse is -x to -1,
        and then -1 - ln x.

        With a seed that is not recorded, the mean of the recorded seeds counts; at a rung that is not recorded, rung 0.
        """
        level = str(rung) if str(rung) in self.fitness else "0"
        recorded = self.fitness[level]
        own = recorded[seed] if seed < len(recorded) else fmean(recorded)
        units = (fitness - own) / self.unit[level]
        return units if units >= -1 or not isfinite(units) else -1 - log(-units)

    def data(self) -> dict[str, Any]:
        """The reference as plain data."""
        return asdict(self)
