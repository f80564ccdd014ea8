"""Cuts leave smaller programs, and round numbers stand near the numbers that they replace."""

from decimal import Decimal

import numpy as np
import pytest

from germline.programs.optimizer import library, parse, trace, write
from germline.programs.optimizer.simplify.cuts import cuts
from germline.programs.optimizer.simplify.rewriting import from_program
from germline.programs.optimizer.simplify.rounding import digits_of, round_numbers, with_constant

pytestmark = pytest.mark.slow


def test_a_cut_leaves_out_a_statement_a_constant_or_a_state() -> None:
    program = parse(
        "def train(w, g, m, lr):\n  g = clip(g, lr)\n  m = interp(g, m, 0.9)\n  wd = w * 0.1\n"
        "  update = m + wd\n  update = update * lr\n  return update, m\n"
    )
    left = {cut.what: cut.program for cut in cuts(program)}
    assert "clip" not in write(left["g = clip(g, lr) → g"])
    assert left["wd = w * 0.1 → w"].constants == (0.9,)
    assert left["update = m + wd → m"].constants == (0.9,)
    assert left["m = interp(g, m, 0.9) → g"].states == ()
    assert left["state m → g"].states == () == left["state m → 0.0"].states
    assert "update = update * lr → update" not in left


@pytest.mark.parametrize("name", sorted(library()))
def test_every_cut_of_a_program_is_a_valid_smaller_program(name: str) -> None:
    program = parse(library()[name])
    found = cuts(program)
    texts = [write(cut.program) for cut in found]
    assert len(found) >= len(program.body) / 2 and len(set(texts)) == len(texts)
    for cut in found:
        trace(cut.program)
        assert from_program(cut.program).cost < from_program(program).cost


def test_round_numbers_come_with_the_fewest_digits_first() -> None:
    assert round_numbers(0.99822) == [0.99, 0.998, 0.999, 0.9982, 0.9983]
    assert round_numbers(0.899) == [0.9, 0.8, 0.89]
    assert round_numbers(-0.4602) == [-0.5, -0.4, -0.46, -0.47, -0.461]
    assert round_numbers(0.0002) == [] == round_numbers(0.0) == round_numbers(3.0)
    assert round_numbers(12.0) == [10.0, 20.0]


def test_round_numbers_have_fewer_digits_and_are_the_nearest_on_both_sides() -> None:
    rng = np.random.default_rng(5)
    for value in rng.standard_normal(300) * 10.0 ** rng.integers(-9, 9, 300):
        numbers = round_numbers(float(value))
        digits = [digits_of(number) for number in numbers]
        assert digits == sorted(digits) and max(digits) < digits_of(float(value)) and len(set(numbers)) == len(numbers)
        for number, count in zip(numbers, digits, strict=True):
            unit = Decimal(1).scaleb(Decimal(repr(abs(float(value)))).adjusted() - count + 1)
            assert number * value > 0
            assert abs(Decimal(repr(number)) - Decimal(repr(float(value)))) < 10 * unit


def test_a_constant_is_replaced_in_all_its_places() -> None:
    program = parse("def train(w, g, lr):\n  x = g * 0.25\n  y = w * 0.25\n  update = x + y\n  return update\n")
    assert with_constant(program, 0.25, 0.3).constants == (0.3, 0.3)
