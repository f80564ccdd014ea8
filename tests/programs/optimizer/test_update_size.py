"""The size of updates, and children that keep that of their parent."""

import numpy as np
import pytest

from germline.programs.optimizer import Program, library, parse, trace
from germline.programs.optimizer.space import OptimizerSpace
from germline.programs.optimizer.update_size import LARGEST, octaves_to, resized, update_size

ADAMW = library()["adamw_plain"]
SPACE = OptimizerSpace(parse(ADAMW), "extended", keep_size=True)
STRUCTURAL = ("insert", "delete", "replace", "idiom")


def size(program: Program) -> float | None:
    return update_size(trace(program))


def bred(parent: Program, operator: str, seed: int) -> tuple[Program, Program]:
    """A child that keeps the size of its parent's updates, and the same child as it was bred."""
    plain = OptimizerSpace(parent, "extended")
    child, as_bred = (space.vary(parent, operator, np.random.default_rng(seed)) for space in (SPACE, plain))
    return child.genome, as_bred.genome


def with_line(line: str, before: str = "wd = ") -> Program:
    return parse(ADAMW.replace(f"  {before}", f"  {line}\n  {before}"))


@pytest.mark.parametrize("name", library())
def test_a_program_of_the_library_becomes_four_times_as_large(name: str) -> None:
    program = parse(library()[name])
    before = size(program)
    assert before is not None
    after = size(resized(program, 2))
    # A rate that is also used inside the rule, as a clipping threshold or in an estimate, does not only scale it.
    assert after is not None and after > before
    if name not in ("lion_raw", "prodigy", "schedule_free_sgd", "hypergradient_descent"):
        assert after == pytest.approx(4 * before, rel=0.05)


def test_a_child_that_is_a_tenth_as_large_gets_a_larger_rate() -> None:
    parent, child = parse(ADAMW), with_line("update = update * 0.1")
    octaves = octaves_to(size(child), size(parent))
    assert octaves == 3
    assert resized(child, octaves).constants[-1] == 0.008


def test_a_program_without_a_constant_that_scales_it_gets_a_last_statement_and_keeps_its_states() -> None:
    text = "def train(w, g, m, lr):\n  m = interp(g, m, 0.9)\n  return m, m\n"
    assert resized(parse(text), -3) == parse(text.replace("  return m, m", "  x1 = m * 0.125\n  return x1, m"))


def test_without_a_size_nothing_changes() -> None:
    nothing = with_line("update = update * 0.0", "lr = ").with_numbers({(6, 1): 0.0})
    overflow = with_line("update = exp(1000.0) * update")
    assert size(nothing) is None and size(overflow) is None
    assert octaves_to(None, 1.0) == octaves_to(1.0, None) == 0


def test_the_change_is_bounded() -> None:
    assert octaves_to(1e-20, 1.0) == LARGEST and octaves_to(1.0, 1e-20) == -LARGEST


@pytest.mark.parametrize("operator", STRUCTURAL)
def test_children_of_another_structure_are_as_large_as_their_parent(operator: str) -> None:
    parent = parse(ADAMW)
    resized_children = 0
    for seed in range(40):
        child, plain = bred(parent, operator, seed)
        assert SPACE.check(child) is None
        off = abs(octaves_to(size(plain), size(parent)))
        resized_children += child != plain
        assert (child != plain) == (off > 0)
        # A rule that uses its rate twice ends beside its parent's size, but never farther from it than it was.
        assert abs(octaves_to(size(child), size(parent))) <= off
    assert resized_children


@pytest.mark.parametrize("operator", ["tune", "rate", "modify"])
def test_children_with_other_constants_stay_as_they_are(operator: str) -> None:
    parent = parse(ADAMW)
    for seed in range(20):
        child, plain = bred(parent, operator, seed)
        if SPACE.structure(plain) == SPACE.structure(parent):
            assert child == plain


def test_a_child_that_has_no_room_for_another_statement_stays_as_it_is() -> None:
    parent = parse("def train(w, g, lr):\n  update = g * lr\n  return update\n")
    full = OptimizerSpace(parent, max_statements=2, keep_size=True)
    for seed in range(20):
        assert len(full.vary(parent, "insert", np.random.default_rng(seed)).genome.body) <= 2
