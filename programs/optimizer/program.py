"""Optimizer programs as data: the genomes of this kind."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count

Argument = str | float
"""The name of a variable, or a literal."""

OPTIONAL_INPUTS = ("step", "progress", "loss")
"""Numbers that a program may declare after `lr`, in this order."""


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
    """A value that the optimizer keeps between steps, zero at first. `shape` is a key of `types.STATE_TYPES`; `readout`
    is shaped like the parameters, and stands for them when the model is used."""

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
        progress: True if it has the input `progress`: the share of the training's steps that are done, 0 at the first.
        loss: True if it has the input `loss`: the loss of the batch that gave the gradients, before the step.
        lines: for each statement the line of the text that it was read from, counted from 1, for messages. `parse`
            fills it; it is empty for other programs, such as a child.
    """

    body: tuple[Statement, ...]
    states: tuple[State, ...] = (State("m"), State("v"))
    step: bool = False
    returns: tuple[str, ...] = ("update", "m", "v")
    progress: bool = False
    loss: bool = False
    lines: tuple[int, ...] = field(default=(), init=False, repr=False, compare=False)

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the inputs: w, g, the states, lr and those of step, progress and loss that it has."""
        return ("w", "g", *(state.name for state in self.states), "lr", *self.optional_inputs)

    @property
    def optional_inputs(self) -> tuple[str, ...]:
        """The names out of `OPTIONAL_INPUTS` that it has as inputs."""
        if not (self.step or self.progress or self.loss):
            return ()
        has = (self.step, self.progress, self.loss)
        return tuple(name for name, own in zip(OPTIONAL_INPUTS, has, strict=True) if own)

    @property
    def constants(self) -> tuple[float, ...]:
        """Every literal, in the order of the text."""
        return tuple(arg for line in self.body for arg in line.args if isinstance(arg, float))

    @property
    def large_states(self) -> int:
        """The number of states that are as large as the parameters, or may be larger: products of rows or columns."""
        return sum(state.shape in ("tree", "readout", "left", "right") for state in self.states)

    @property
    def readout(self) -> int | None:
        """The position of the state that is the read-out: the weights with which the model is evaluated. None: these
        are the parameters."""
        return next((k for k, state in enumerate(self.states) if state.shape == "readout"), None)

    def with_body(self, body: Sequence[Statement], returns: tuple[str, ...] | None = None) -> "Program":
        """The program with other statements and the same inputs; `returns` None: it returns the same names."""
        # Every birth comes here, and `dataclasses.replace` takes three times as long.
        return Program(tuple(body), self.states, self.step, returns or self.returns, self.progress, self.loss)

    def with_numbers(self, numbers: Mapping[tuple[int, int], float]) -> "Program":
        """The program with other literals.

        Args:
            numbers: the new literals by position: of the statement, and among its arguments.
        """
        body = list(self.body)
        for (i, j), number in numbers.items():
            args = body[i].args
            body[i] = replace(body[i], args=(*args[:j], number, *args[j + 1 :]))
        return replace(self, body=tuple(body))


def unused_names(prefix: str, used: Collection[str]) -> Iterator[str]:
    """Those of x1, x2, … that are not `used`, for the prefix x."""
    return (name for number in count(1) if (name := f"{prefix}{number}") not in used)


def clashing_state(program: Program, allowed: Collection[str] = ()) -> str | None:
    """Why a program has a state with the name of an optional input, such as `loss`; None if it has none.

    Such a program is read and trained like any other, but variation may take the state for the input.

    Args:
        program: any program.
        allowed: names of states that are allowed nevertheless.
    """
    for state in program.states:
        if state.name in OPTIONAL_INPUTS and state.name not in allowed:
            inputs = ", ".join(OPTIONAL_INPUTS)
            return (
                f"expected other names of states than {inputs}, which are inputs after lr, got {state.name}; rename it"
            )
    return None
