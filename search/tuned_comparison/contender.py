"""Contenders: optimizers with the box in which they are tuned."""

from dataclasses import dataclass
from typing import Protocol

from germline.evaluators.optimizer.class_trainer import states_of
from germline.evaluators.optimizer.schedule import Schedule
from germline.evaluators.optimizer.torch_classes import InvalidClass, exact_name, optimizer_class
from germline.evaluators.optimizer.training import ClassUse, Training, write_training
from germline.evaluators.task import Split
from germline.programs.optimizer import parse
from germline.search.knob_tuning.class_box import class_knobs
from germline.search.knob_tuning.knobs import Box, Point
from germline.search.knob_tuning.program_box import program_knobs


class Knobs(Protocol):
    """An optimizer at any point of its box."""

    @property
    def box(self) -> Box:
        """Its knobs, before any of them is widened."""
        ...

    def training_at(self, point: Point) -> tuple[str | ClassUse, Schedule]:
        """Returns the optimizer and the schedule at a point."""
        ...


@dataclass(frozen=True)
class Contender:
    """An optimizer of a comparison.

    Attributes:
        label: its name in the output.
        knobs: its box, and the optimizer at any point of it.
        judged: True if a verdict is wanted on it; False if it is what others are compared with.
        states: tensors as large as a parameter that it keeps for each; None if that is not known.
        search_loss: the loss with which its search scored it; None if it is of no search on a single task.
        tuned: False if it is trained with its own constants on every task, and the schedule of searches.
    """

    label: str
    knobs: Knobs
    judged: bool
    states: int | None = None
    search_loss: float | None = None
    tuned: bool = True

    def text(self, point: Point, length: float, split: Split, curve: bool = False) -> str:
        """Returns the text of its training at a point."""
        return write_training(Training(*self.knobs.training_at(point), length, split, curve))


def class_contender(name: str, judged: bool) -> Contender:
    """The contender of an optimizer of torch, by a name that the user gave. Imports its code.

    Raises:
        InvalidClass: there is no such class, or it takes no `lr`.
    """
    optimizer = optimizer_class(name)
    try:
        knobs = class_knobs(optimizer, exact_name(name), name)
    except ValueError as error:
        raise InvalidClass(str(error)) from None
    return Contender(name, knobs, judged, states_of(optimizer))


def program_contender(label: str, text: str, judged: bool, search_loss: float | None = None) -> Contender:
    """The contender of a program.

    Raises:
        InvalidProgram: the text is not a valid program.
    """
    knobs = program_knobs(parse(text))
    return Contender(label, knobs, judged, knobs.program.large_states, search_loss)
