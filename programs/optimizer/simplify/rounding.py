"""Round numbers in the place of a program's constants."""

from dataclasses import replace
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from germline.programs.optimizer.program import Program, Statement

MAX_DIGITS = 6

MAX_FACTOR = 10
"""By how much rounding may change the distance of a decay from 1 at most."""


def round_numbers(value: float) -> list[float]:
    """Rounder numbers near a number, the roundest first: for each count of digits the neighbours on both sides, the
    nearer first.

    Digits are significant digits, at most `MAX_DIGITS` and fewer than those of the number. A neighbour that has fewer
    digits is listed with those. Neither 0 nor a number of the other sign is listed. What a decay does follows from its
    distance from 1: between 1/2 and 1, that distance does not change by more than `MAX_FACTOR`. So 0.997 may become
    0.99, but neither 0.9, which forgets 30 times as fast, nor 1.

    Example:
        round_numbers(0.99822)  # [0.99, 0.998, 0.999, 0.9982, 0.9983]
    """
    exact = Decimal(repr(abs(value)))
    result: list[float] = []
    for digits in range(1, min(MAX_DIGITS + 1, digits_of(value))):
        unit = Decimal(1).scaleb(exact.adjusted() - digits + 1)
        sides = {(exact / unit).to_integral_value(side) * unit for side in (ROUND_FLOOR, ROUND_CEILING)}
        for neighbour in sorted(sides, key=lambda number: (abs(number - exact), number)):
            rounder = float(neighbour) if value > 0 else -float(neighbour)
            if rounder and rounder not in result and _stands_for(exact, neighbour):
                result.append(rounder)
    return sorted(result, key=lambda number: (digits_of(number), abs(number - value)))


def _stands_for(exact: Decimal, neighbour: Decimal) -> bool:
    """True unless the number is a decay and its neighbour another order of magnitude away from 1."""
    if not is_decay(float(exact)):
        return True
    return (1 - exact) / MAX_FACTOR <= 1 - neighbour <= (1 - exact) * MAX_FACTOR


def is_decay(value: float) -> bool:
    """True if a number is taken for a decay: it is between 1/2 and 1, whatever its sign."""
    return 0.5 < abs(value) < 1


def digits_of(value: float) -> int:
    """The number of significant digits of the shortest text of a number: 1 for 0.002, 3 for 0.998."""
    return len(Decimal(repr(abs(value))).normalize().as_tuple().digits)


def with_constant(program: Program, old: float, new: float) -> Program:
    """The program with another number in every place of a constant."""
    body = tuple(
        Statement(
            line.target,
            line.function,
            tuple(new if arg == old and isinstance(arg, float) else arg for arg in line.args),
        )
        for line in program.body
    )
    return replace(program, body=body)
