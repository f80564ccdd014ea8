"""Optimizer programs as data: the genomes of this kind."""

from dataclasses import dataclass, field

Argument = str | float
"""The name of a variable, or a literal."""


class InvalidProgram(ValueError):
    """A text or a program outside of the language. The message says where, what was expected and what to write;
    `reason` is the class of the mistake, such as `syntax` or `arity`."""

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
    """Cache of its line of text, filled when it is first written: a child shares most statements with its parent."""


@dataclass(frozen=True, slots=True)
class State:
    """A value that the optimizer keeps between steps, zero at first. `shape` is a key of `types.STATE_TYPES`."""

    name: str
    shape: str = "tree"


@dataclass(frozen=True, slots=True)
class Program:
    """A straight-line update rule: `w` becomes `w - update`, and the returned states go into the next step.

    Attributes:
        body: the statements in order.
        states: the states in the order of the inputs.
        step: True if the last input is the step count, which is 1 at the first step.
        returns: the name of the update, then that of the next value of each state.
    """

    body: tuple[Statement, ...]
    states: tuple[State, ...] = (State("m"), State("v"))
    step: bool = False
    returns: tuple[str, ...] = ("update", "m", "v")

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the inputs: w, g, the states, lr and possibly step."""
        names = ("w", "g", *(state.name for state in self.states), "lr")
        return (*names, "step") if self.step else names

    @property
    def constants(self) -> tuple[float, ...]:
        """Every literal, in the order of the text."""
        return tuple(arg for line in self.body for arg in line.args if isinstance(arg, float))
