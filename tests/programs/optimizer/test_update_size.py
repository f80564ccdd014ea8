"""The size of updates, and children that keep that of their parent."""

import numpy as np
import pytest
from programs_of_lines import program_of

from germline.programs.optimizer import Program, library, parse, trace
from germline.programs.optimizer.space import OptimizerSpace
from germline.programs.optimizer.update_size import LARGEST, octaves_to, resized, update_rms

ADAMW = parse(library()["adamw_plain"])
LION = parse(library()["lion"])
SPACE = OptimizerSpace(ADAMW, "extended", keep_size=True)
UNSIZED = ("shampoo", "shampoo_left", "soap")
"""Programs of the library with functions that magnify rounding."""
AS_BRED = OptimizerSpace(ADAMW, "extended")


def size(program: Program) -> float | None:
    return update_rms(trace(program))


def adamw_with(line: str) -> Program:
    """AdamW with a statement after its division."""
    return parse(library()["adamw_plain"].replace("  wd = ", f"  {line}\n  wd = "))


def bred(operator: str, seed: int) -> tuple[Program, Program]:
    """A child of AdamW that keeps the size of its parent's updates, and the same child as it was bred."""
    children = []
    for space in (SPACE, AS_BRED):
        rng = np.random.default_rng(seed)
        pair = operator in space.pair_operators
        child = space.combine(ADAMW, LION, operator, rng) if pair else space.vary(ADAMW, operator, rng)
        children.append(child.genome)
    return children[0], children[1]


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in library() if name not in UNSIZED])
def test_a_program_of_the_library_becomes_four_times_as_large(name: str) -> None:
    program = parse(library()[name])
    before, after = size(program), size(resized(program, 2))
    assert before is not None and after == pytest.approx(4 * before, rel=0.02)


def test_a_child_with_updates_of_a_tenth_gets_a_rate_eight_times_as_large() -> None:
    child = adamw_with("update = update * 0.1")
    octaves = octaves_to(size(child), size(ADAMW))
    assert octaves == 3
    assert resized(child, octaves).constants[-1] == 0.008


def test_slow_averages_count_as_in_a_training() -> None:
    """A sign in the place of AdamW's division has updates of about the same size once `v` has left its zeros behind."""
    sign = parse(library()["adamw_plain"].replace("update = m / sqrt_v", "update = sign(m)"))
    assert abs(octaves_to(size(sign), size(ADAMW))) <= 2


def test_a_program_without_a_constant_that_scales_it_gets_a_last_statement_and_keeps_its_states() -> None:
    program = program_of("w, g, m, lr", "m = interp(g, m, 0.9)", "return m, m")
    assert resized(program, -3) == program_of("w, g, m, lr", "m = interp(g, m, 0.9)", "x1 = m * 0.125", "return x1, m")


def test_updates_that_are_zero_or_not_finite_have_no_size() -> None:
    assert size(program_of("w, g, lr", "update = g * 0.0", "return update")) is None
    assert size(program_of("w, g, lr", "update = g * exp(1000.0)", "return update")) is None
    assert octaves_to(None, 1.0) == octaves_to(1.0, None) == 0


def test_changes_of_a_rate_are_bounded() -> None:
    assert octaves_to(1e-30, 1.0) == LARGEST and octaves_to(1.0, 1e-30) == -LARGEST
    huge = program_of("w, g, lr", "update = g * 1e+29", "return update")
    assert resized(huge, LARGEST) == huge


@pytest.mark.slow
@pytest.mark.parametrize("operator", ["insert", "delete", "replace", "wrap", "unwrap", "idiom", "graft", "cross"])
def test_children_of_another_structure_are_no_farther_from_their_parents_size(operator: str) -> None:
    nearer = 0
    for seed in range(40):
        child, plain = bred(operator, seed)
        assert SPACE.check(child) is None
        before, after = (abs(octaves_to(size(each), size(ADAMW))) for each in (plain, child))
        assert (after < before) if child != plain else (after == before)
        nearer += child != plain
    assert nearer


@pytest.mark.parametrize("operator", ["tune", "rate", "modify"])
def test_children_with_other_constants_stay_as_they_are(operator: str) -> None:
    constants_alone = 0
    for seed in range(30):
        child, plain = bred(operator, seed)
        if SPACE.structure(plain) == SPACE.structure(ADAMW) and plain != ADAMW:
            assert child == plain
            constants_alone += 1
    assert constants_alone > 3


def test_a_rule_that_feeds_its_rate_back_stays_as_it_is_unless_it_comes_nearer() -> None:
    """One octave of its rate multiplies the updates of such a rule by 2^100."""
    wanted = program_of("w, g, s, lr", "update = g * 0.001", "return update, s")
    fed = program_of("w, g, s, lr", "a = s + g", "update = a * 0.9", "s = update * 2.0", "return update, s")
    space = OptimizerSpace(wanted, keep_size=True)
    child = space._resized(space._traced(fed), space._traced(wanted))
    before, after = (abs(octaves_to(size(each), size(wanted))) for each in (fed, child))
    assert child == fed or after < before


def test_a_child_that_has_no_room_for_another_statement_stays_as_it_is() -> None:
    parent = program_of("w, g, lr", "update = g * lr", "return update")
    roomy, full = (OptimizerSpace(parent, max_statements=limit, keep_size=True) for limit in (9, 2))
    refused = 0
    for seed in range(60):
        child = full.vary(parent, "insert", np.random.default_rng(seed)).genome
        assert len(child.body) <= 2
        refused += len(roomy.vary(parent, "insert", np.random.default_rng(seed)).genome.body) > 2
    assert refused


@pytest.mark.parametrize("name", UNSIZED)
def test_updates_whose_bits_depend_on_the_machine_have_no_size(name: str) -> None:
    assert update_rms(trace(parse(library()[name]))) is None
