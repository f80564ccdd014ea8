"""What gains on a task are measured against, as plain data in the config of a run: recorded once, never computed again.

The reference of a task is a tuned optimizer. Its unit is the larger of two numbers: what the second half of the steps
gains it, and the standard deviation of its fitness between seeds. So a gain of 1 is worth about twice the training on
every task, whatever its loss is measured in, and no unit is so small that a gain is made of the luck of a seed. What is
worse by more than a unit counts by its logarithm, because the losses of bad programs differ by orders of magnitude, and
a task on which they do would decide alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from math import isfinite, log
from statistics import fmean
from typing import Any

from germline.evaluators.errors import shown


class BadReferences(ValueError):
    """The references in a run's config are not those of its tasks: the config is damaged or made up."""


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


def references_from(data: object, count: int) -> list[Reference]:
    """The references of `count` tasks from a run's config, which may come from anywhere.

    Raises:
        BadReferences: they are not what `Reference.data` gives.
    """
    if isinstance(data, Sequence) and len(data) == count and all(map(_is_reference, data)):
        return [Reference(**each) for each in data]
    raise BadReferences(
        f"expected the references of {count} tasks in the config of the run, as its creation records them, "
        f"got {shown(data)}; start a new run"
    )


def _is_reference(data: object) -> bool:
    names = {declared.name for declared in fields(Reference)}
    if not (isinstance(data, Mapping) and set(data) == names and isinstance(data["program"], str)):
        return False
    fitness, unit = data["fitness"], data["unit"]
    if not (
        isinstance(fitness, Mapping) and isinstance(unit, Mapping) and "0" in fitness and set(fitness) == set(unit)
    ):
        return False
    values = [data["operations"], *unit.values(), *(value for each in fitness.values() for value in _listed(each))]
    return all(isinstance(value, float) and isfinite(value) for value in values) and all(
        value > 0 for value in unit.values()
    )


def _listed(values: object) -> Sequence[object]:
    """The values of a list that is not empty; a value that is no number for anything else."""
    return values if isinstance(values, list | tuple) and values else (None,)
