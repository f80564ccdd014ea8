"""Round numbers in the place of a program's constants."""

from dataclasses import replace
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from germline.programs.optimizer.program import Program, Statement

MAX_DIGITS = 6


def round_numbers(value: float) -> list[float]:
    """Rounder numbers near a number, the roundest first: for each count of digits the neighbours on both sides, the
    nearer first.

    Digits are significant digits, at most `MAX_DIGITS` and fewer than those of the number. A neighbour that has fewer
    digits is listed with those. Neither 0 nor a number of the other sign is listed.

    Example:
        round_numbers(0.99822)  # [1.0, 0.9, 0.99, 0.998, 0.999, 0.9982, 0.9983]
    """
    exact = Decimal(repr(abs(value)))
    result: list[float] = []
    for digits in range(1, min(MAX_DIGITS + 1, digits_of(value))):
        unit = Decimal(1).scaleb(exact.adjusted() - digits + 1)
        sides = {(exact / unit).to_integral_value(side) * unit for side in (ROUND_FLOOR, ROUND_CEILING)}
        for neighbour in sorted(sides, key=lambda number: (abs(number - exact), number)):
            rounder = float(neighbour) if value > 0 else -float(neighbour)
            if rounder and rounder not in result:
                result.append(rounder)
    return sorted(result, key=lambda number: (digits_of(number), abs(number - value)))


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
