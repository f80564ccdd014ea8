"""A program with another value for an argument of its export: what the exported class must equal with that argument."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from math import isfinite
from typing import Any, NamedTuple

from germline.programs.optimizer.export.arguments import HyperParameter
from germline.programs.optimizer.export.roles import PROTECTION
from germline.programs.optimizer.export.signs import Place
from germline.programs.optimizer.primitives import EPSILON
from germline.programs.optimizer.program import Program, Statement

_FACTORS = {
    "decay": (0.75, 0.1, 0.0),
    "nonnegative": (1.5, 1e2, 1e4, 1e8, 0.0),
    "nonpositive": (1.25, 0.5, 4.0, 0.0),
    "count": (),
    "free": (1.25, 0.75, 1e2, 1e-2, 1e4, 1e-4, 1e8, -1.0),
}
"""By how much an argument of each range is changed: the first of these that changes a result."""
_PERIODS = (3.0, 2.0)
"""The values of a period in steps: short ones, whose end is seen within a few steps."""


class Change(NamedTuple):
    """An argument with another value.

    Attributes:
        name: of the argument.
        value: of the argument; a tuple of which one number is changed for `betas`.
        program: the program with this number in the place of its own.
        shows: True if its result is another than with the default; False if no value that was tried changes it.
    """

    name: str
    value: Any
    program: Program
    shows: bool


def changes(
    program: Program, arguments: Collection[HyperParameter], differs: Callable[[Program], bool]
) -> Iterator[Change]:
    """A change of each number among the arguments: the first that changes a result, else the last.

    Args:
        program: the program that the arguments belong to.
        arguments: its arguments.
        differs: True if a program's result is another one than that of `program`.
    """
    for argument in arguments:
        for k, places in enumerate(argument.places):
            change = None
            for number in _numbers(argument, k):
                changed = with_number(program, places, number)
                change = Change(argument.name, _value(argument, k, number), changed, differs(changed))
                if change.shows:
                    break
            assert change is not None
            yield change


def _value(argument: HyperParameter, k: int, number: float) -> Any:
    """The argument with a number in the place of its number `k`."""
    if argument.name == "betas":
        return tuple(number if i == k else own for i, own in enumerate(argument.values))
    return int(number) if argument.range == "count" else number


def _numbers(argument: HyperParameter, k: int) -> list[float]:
    """The values to try in the place of a number."""
    own = argument.values[k]
    candidates = _PERIODS if argument.range == "count" else [own * factor for factor in _FACTORS[argument.range]]
    other = [value for value in candidates if value != own and isfinite(value)]
    if any(j == PROTECTION for _, j in argument.places[k]):
        # A program gets a smaller epsilon only by subtracting from a divisor, which costs small divisors their digits.
        return [value for value in other if value >= EPSILON] or other
    return other


def with_number(program: Program, places: Collection[Place], value: float) -> Program:
    """The program with a number at each of the places."""
    body = []
    names = {*program.inputs, *(line.target for line in program.body)}
    for i, line in enumerate(program.body):
        args = [value if (i, j) in places else arg for j, arg in enumerate(line.args)]
        if line.function == "/" and (i, PROTECTION) in places:
            # The interpreter adds its own epsilon to the sum.
            divisor = next(name for k in range(len(names) + 1) if (name := f"divisor_{k}") not in names)
            body.append(Statement(divisor, "+", (args[1], value - EPSILON)))
            args[1] = divisor
        body.append(replace(line, args=tuple(args)))
    return replace(program, body=tuple(body))
