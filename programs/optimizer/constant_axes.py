"""The constants of a program as axes of a numeric search.

Each axis is a literal value that live statements use. Literals of the same value are one axis, because they are mostly
one hyper-parameter: a moving average and its bias correction share their decay. 0, 1 and -1 are no axes, nor are values
that are extreme.

A coordinate counts octaves from the value in the given program: 1 doubles it. A value between 0.5 and 1 is mostly the
decay of an average, whose memory of 1 / (1 - decay) steps is what matters: there 1 doubles 1 - decay. No value changes
its sign. New values have three significant digits, so that coordinates are the same on every machine.
"""

import math
from collections.abc import Mapping, Sequence

from germline.programs.optimizer.graph import Graph
from germline.programs.optimizer.program import Program

LARGEST = 20.0
"""The largest change, in octaves."""
DIGITS = 3
"""Significant digits of a new value, or of its distance from 1."""
NEAREST, FARTHEST = 1e-9, 0.999
"""The least and the largest distance from 1 of a decay."""
SMALLEST, GREATEST = 1e-60, 1e60
"""The least and the largest magnitude of any other value."""


def axes(program: Program, graph: Graph) -> tuple[float, ...]:
    """Returns the values of the literals that are axes, in the order of the text.

    Args:
        program: valid.
        graph: of the program.
    """
    live = (program.body[i] for i in graph.live_statements)
    values = dict.fromkeys(arg for line in live for arg in line.args if isinstance(arg, float))
    return tuple(value for value in values if _is_axis(value))


def moved(program: Program, values: Sequence[float], octaves: Sequence[float]) -> Program:
    """Returns a program whose literals are as many octaves from those of `program`.

    Args:
        program: valid.
        values: its axes.
        octaves: a number for each axis; beyond `LARGEST` it is cut.
    """
    return with_values(program, {value: _moved(value, by) for value, by in zip(values, octaves, strict=True)})


def octaves_between(program: Program, values: Sequence[float], other: Program) -> tuple[float, ...]:
    """Returns the octaves from the literals of a program to those of another with the same structure.

    Args:
        program: valid.
        values: its axes.
        other: a program that differs from `program` in the values of literals alone.
    """
    pairs: dict[float, float] = {}
    for line, changed in zip(program.body, other.body, strict=True):
        for value, new in zip(line.args, changed.args, strict=True):
            if isinstance(value, float) and isinstance(new, float):
                pairs.setdefault(value, new)
    return tuple(_octaves(value, pairs[value]) for value in values)


def with_values(program: Program, values: Mapping[float, float]) -> Program:
    """Returns a program with other literals: the keys are replaced by their values."""
    places = {
        (i, j): values[arg]
        for i, line in enumerate(program.body)
        for j, arg in enumerate(line.args)
        if isinstance(arg, float) and arg in values
    }
    return program.with_numbers(places)


def _is_axis(value: float) -> bool:
    return 1 - abs(value) >= NEAREST if _is_decay(value) else abs(value) != 1 and SMALLEST <= abs(value) <= GREATEST


def _is_decay(value: float) -> bool:
    return 0.5 < abs(value) < 1


def _moved(value: float, octaves: float) -> float:
    factor = 2.0 ** min(LARGEST, max(-LARGEST, octaves))
    if _is_decay(value):
        distance = _rounded(min(max((1 - abs(value)) * factor, NEAREST), FARTHEST))
        return math.copysign(round(1 - distance, 12), value)
    return math.copysign(_rounded(min(max(abs(value) * factor, SMALLEST), GREATEST)), value)


def _octaves(value: float, new: float) -> float:
    if _is_decay(value):
        return math.log2((1 - abs(new)) / (1 - abs(value)))
    return math.log2(new / value)


def _rounded(value: float) -> float:
    return float(f"{value:.{DIGITS - 1}e}")
