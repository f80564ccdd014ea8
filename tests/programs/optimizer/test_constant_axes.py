"""The constants of programs as axes of a numeric search."""

import numpy as np
import pytest

from germline.programs.optimizer import library, parse, write
from germline.programs.optimizer.constant_axes import LARGEST
from germline.programs.optimizer.space import OptimizerSpace

SPACE = OptimizerSpace(parse(library()["adamw"]), "extended")
TWO = """def train(w, g, m, lr):
  m = interp(g, m, 0.9)
  dead = m * 7.0
  c = m * 0.9
  update = c * -0.25
  return update, m
"""


@pytest.mark.parametrize("name", library())
def test_no_octaves_change_nothing_and_octaves_are_read_back(name: str) -> None:
    program = parse(library()[name])
    size = SPACE.axes(program)
    same = SPACE.moved(program, [0.0] * size)
    assert np.allclose(same.constants, program.constants, rtol=0.005, atol=0)
    octaves = np.random.default_rng(0).uniform(-3, 0.4, size)
    moved = SPACE.moved(program, octaves)
    assert SPACE.octaves(program, moved) == pytest.approx(octaves, abs=0.02)
    assert SPACE.structure(moved) == SPACE.structure(program)
    assert SPACE.check(moved) is None


def test_equal_constants_move_together_and_dead_ones_do_not() -> None:
    moved = write(SPACE.moved(parse(TWO), [1.0, -1.0]))
    assert moved == TWO.replace("0.9", "0.8").replace("-0.25", "-0.125")


def test_a_decay_stays_between_0_and_1() -> None:
    for octaves, decay in ((LARGEST, "0.001"), (-3.0, "0.9875")):
        assert f"interp(g, m, {decay})" in write(SPACE.moved(parse(TWO), [octaves, 0.0]))


def test_the_inputs_of_a_program_stay() -> None:
    text = "def train(w, g, lr, step, progress, loss):\n  update = g * 0.25\n  return update\n"
    assert write(SPACE.moved(parse(text), [1.0])) == text.replace("0.25", "0.5")


def test_octaves_are_bounded() -> None:
    moved = SPACE.moved(parse(TWO), [0.0, 5_000.0])
    assert moved.constants[-1] == pytest.approx(-0.25 * 2.0**LARGEST, rel=0.005)


def test_extreme_constants_are_no_axes_and_moved_ones_do_not_get_there() -> None:
    extreme = parse(TWO.replace("0.9", "0.9999999999999").replace("-0.25", "1e305"))
    assert SPACE.axes(extreme) == 0
    near = parse(TWO.replace("0.9", "0.9999999").replace("-0.25", "1e-59"))
    for octaves in (LARGEST, -LARGEST):
        moved = SPACE.moved(near, [octaves, octaves])
        assert 0 < moved.constants[0] < 1 and moved.constants[-1] > 0
        assert len(SPACE.octaves(near, moved)) == 2


def test_a_structure_is_told_from_another_by_its_live_statements_alone() -> None:
    structure = SPACE.structure(parse(TWO))
    assert SPACE.structure(parse(TWO.replace("m * 7.0", "sin(m)"))) == structure
    assert SPACE.structure(parse(TWO.replace("-0.25", "3.0"))) == structure
    assert SPACE.structure(parse(TWO.replace("m * 0.9", "m + 0.9"))) != structure
