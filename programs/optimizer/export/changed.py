"""A program with another value for an argument of its export: what the exported class must equal with that argument."""

from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import Any

from germline.programs.optimizer.export.arguments import HyperParameter
from germline.programs.optimizer.export.roles import PROTECTION
from germline.programs.optimizer.export.signs import Place
from germline.programs.optimizer.primitives import EPSILON
from germline.programs.optimizer.program import Program, Statement

_FACTORS = {"decay": 0.75, "nonnegative": 1.5, "free": 1.25}
"""By how much an argument of each range is changed."""


def changes(program: Program, arguments: Collection[HyperParameter]) -> Iterator[tuple[str, Any, Program]]:
    """For each number among the arguments: the argument, a value with that number changed, and the program with it.

    Args:
        program: the program that the arguments belong to.
        arguments: its arguments.
    """
    for argument in arguments:
        for k, places in enumerate(argument.places):
            values = list(argument.values)
            values[k] *= _FACTORS[argument.range]
            value = tuple(values) if argument.name == "betas" else values[k]
            yield argument.name, value, with_number(program, places, values[k])


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
