"""The box of an optimizer of torch, from arguments of its class: `lr`, `weight_decay`, `betas`, `momentum`, `alpha`.

The ranges are those of a program (`program_box.py`).
"""

import inspect
from dataclasses import dataclass
from typing import Any

from germline.evaluators.optimizer.schedule import SHAPES, Schedule
from germline.evaluators.optimizer.training import ClassUse
from germline.search.knob_tuning.knobs import Box, Point, Range
from germline.search.knob_tuning.program_box import beta_range, decay_range, rate_range, schedule_choices

DEFAULT_RATE = 1e-3
"""The rate of a class that has no default for `lr`."""


@dataclass(frozen=True)
class ClassKnobs:
    """An optimizer of torch at any point of its box.

    Attributes:
        name: the name of the class in the text of a training, see `exact_name`.
        given: the name that the user gave, by which the class is imported.
        box: its box.
        arguments: for each knob but the warm-up and the schedule, its argument, and its place in a tuple or None.
    """

    name: str
    given: str
    box: Box
    arguments: tuple[tuple[str, int | None], ...]

    def arguments_at(self, point: Point) -> dict[str, Any]:
        """Returns the arguments of the class at a point."""
        arguments: dict[str, Any] = {}
        for (argument, place), value in zip(self.arguments, point, strict=False):
            if place is None:
                arguments[argument] = value
            else:
                arguments.setdefault(argument, []).append(value)
        return arguments

    def training_at(self, point: Point) -> tuple[ClassUse, Schedule]:
        """Returns the use of the class, and the schedule, at a point of the box."""
        *_, warmup, shape = point
        assert isinstance(warmup, float) and isinstance(shape, str)
        return ClassUse(self.name, self.arguments_at(point)), Schedule(SHAPES[shape], warmup)


def class_knobs(optimizer_class: type, name: str, given: str) -> ClassKnobs:
    """The knobs of an optimizer class of torch.

    Args:
        optimizer_class: its constructor takes `lr`.
        name, given: see `ClassKnobs`.

    Raises:
        ValueError: the constructor takes no argument `lr`.
    """
    parameters = inspect.signature(optimizer_class).parameters
    if "lr" not in parameters:
        raise ValueError(f"expected a class that takes lr, got {given}, which takes {', '.join(parameters)}")
    rate = _number(parameters["lr"].default) or DEFAULT_RATE
    knobs: list[Range] = [rate_range(rate)]
    arguments: list[tuple[str, int | None]] = [("lr", None)]
    for argument, parameter in parameters.items():
        default = parameter.default
        if argument == "betas" and isinstance(default, tuple | list):
            for place, beta in enumerate(default):
                knobs.append(beta_range(f"beta {place + 1}", float(beta)))
                arguments.append((argument, place))
        elif argument in ("momentum", "alpha") and (number := _number(default)) is not None:
            knobs.append(beta_range(argument, number))
            arguments.append((argument, None))
        elif argument == "weight_decay" and (number := _number(default)) is not None:
            knobs.append(decay_range("decay", number))
            arguments.append((argument, None))
    return ClassKnobs(name, given, Box((*knobs, *schedule_choices())), tuple(arguments))


def _number(default: object) -> float | None:
    return float(default) if isinstance(default, int | float) and not isinstance(default, bool) else None
