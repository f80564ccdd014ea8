"""An optimizer program as data: what a genome of this kind is."""

from dataclasses import dataclass, field

Argument = str | float
"""The name of a variable, or a literal."""


class InvalidProgram(ValueError):
    """A text or a program that the language does not admit. The message says where, what came and what to write."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Statement:
    """One operation: `target = function(*args)`. Operators are functions named `+ - * /`; a plain copy is named `=`."""

    target: str
    function: str
    args: tuple[Argument, ...]
    text: str = field(default="", init=False, repr=False, compare=False)
    """Its line, once it has been written: a child shares most of its statements with its parent."""


@dataclass(frozen=True, slots=True)
class State:
    """A value that the optimizer keeps between steps; it starts at zero. `shape` is a key of `types.STATE_TYPES`."""

    name: str
    shape: str = "tree"


@dataclass(frozen=True, slots=True)
class Program:
    """A straight-line update rule: `w` becomes `w - update`, and the returned states go into the next step.

    `returns` names the update first, then the next value of each state in the order of `states`. `step` says whether
    the program takes the step count (1 at the first step) as its last input.
    """

    body: tuple[Statement, ...]
    states: tuple[State, ...] = (State("m"), State("v"))
    step: bool = False
    returns: tuple[str, ...] = ("update", "m", "v")

    @property
    def inputs(self) -> tuple[str, ...]:
        names = ("w", "g", *(state.name for state in self.states), "lr")
        return (*names, "step") if self.step else names

    @property
    def constants(self) -> tuple[float, ...]:
        """Every literal, in the order of the text."""
        return tuple(arg for line in self.body for arg in line.args if isinstance(arg, float))
