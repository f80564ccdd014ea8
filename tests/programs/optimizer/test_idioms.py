"""Idioms: what each makes of a program, where it fits, and that programs stay within their limits."""

from itertools import product

import numpy as np
import pytest
from programs_of_lines import program_of

from germline.programs.optimizer import Program, library, parse, trace, write
from germline.programs.optimizer.fingerprint import structural_fingerprint
from germline.programs.optimizer.fragment import Limits, Place, live_places
from germline.programs.optimizer.graph import live_program
from germline.programs.optimizer.idioms import DECAYS, IDIOMS, idiom, idiom_places, with_idiom
from germline.programs.optimizer.space import OptimizerSpace

ADAMW = parse(library()["adamw_plain"])
SGD = parse("def train(w, g, lr):\n  update = g * lr\n  return update\n")
MOMENTUM = parse("def train(w, g, m, lr):\n  m = interp(g, m, 0.9)\n  update = m * lr\n  return update, m\n")
LIMITS = Limits(statements=100, states=8)


def use_of(program: Program, statement: int, argument: int = 0) -> Place:
    places = live_places(program, trace(program))
    return next(place for place in places if place[:2] == (statement, argument))


def applied(name: str, program: Program, statement: int, argument: int = 0, decay: float = 0.9) -> Program:
    place = use_of(program, statement, argument)
    child = with_idiom(program, trace(program), place, IDIOMS[name], decay, LIMITS)
    assert child is not None
    assert parse(write(child)) == child
    return child


def structure(program: Program) -> str:
    return structural_fingerprint(trace(program))


WHAT_BECOMES_OF_SGD = {
    "average": program_of("w, g, s1, lr", "s1 = interp(g, s1, 0.9)", "update = s1 * lr", "return update, s1"),
    "adaptive": program_of(
        "w, g, s1, lr", "s1 = interp(square(g), s1, 0.9)", "update = (g / sqrt(s1)) * lr", "return update, s1"
    ),
    "sign": program_of("w, g, lr", "update = sign(g) * lr", "return update"),
    "trust_ratio": program_of("w, g, lr", "update = (g * (norm(w) / norm(g))) * lr", "return update"),
    "unit_leaf": program_of("w, g, lr", "update = (g / norm(g)) * lr", "return update"),
    "normalize_leaf": program_of("w, g, lr", "update = (g / sqrt(leaf_mean(square(g)))) * lr", "return update"),
    "normalize_row": program_of("w, g, lr", "update = (g / sqrt(row_mean(square(g)))) * lr", "return update"),
    "cautious": program_of(
        "w, g, lr",
        "mask = greater(g * g, 0.0)",
        "update = (g * (mask * reciprocal(max(leaf_mean(mask), 0.001)))) * lr",
        "return update",
    ),
    "orthogonalize": program_of(
        "w, g, lr", "o = orthogonalize(g)", "update = (o * (norm(g) / norm(o))) * lr", "return update"
    ),
    "whiten_rows": program_of(
        "w, g, s1: left, lr",
        "s1 = interp(matmul(g, transpose(g)), s1, 0.9)",
        "o = matmul(inverse_root(s1), g)",
        "update = (o * (norm(g) / norm(o))) * lr",
        "return update, s1",
    ),
    "whiten_columns": program_of(
        "w, g, s1: right, lr",
        "s1 = interp(matmul(transpose(g), g), s1, 0.9)",
        "o = matmul(g, inverse_root(s1))",
        "update = (o * (norm(g) / norm(o))) * lr",
        "return update, s1",
    ),
}

WHAT_BECOMES_OF_MOMENTUM = {
    "bias_correction": program_of(
        "w, g, m, lr, step",
        "m = interp(g, m, 0.9)",
        "update = (m * reciprocal(1.0 - power(0.9, step))) * lr",
        "return update, m",
    ),
    "nesterov": program_of(
        "w, g, m, lr", "m = interp(g, m, 0.9)", "update = interp(g, m, 0.9) * lr", "return update, m"
    ),
}


@pytest.mark.parametrize("name", WHAT_BECOMES_OF_SGD)
def test_an_idiom_takes_the_place_of_a_gradient(name: str) -> None:
    assert structure(applied(name, SGD, 0)) == structure(WHAT_BECOMES_OF_SGD[name])


@pytest.mark.parametrize("name", WHAT_BECOMES_OF_MOMENTUM)
def test_an_idiom_takes_the_place_of_a_moving_average(name: str) -> None:
    assert structure(applied(name, MOMENTUM, 1)) == structure(WHAT_BECOMES_OF_MOMENTUM[name])
    assert with_idiom(SGD, trace(SGD), use_of(SGD, 0), IDIOMS[name], 0.9, LIMITS) is None


def test_every_idiom_is_tested_above() -> None:
    assert {*WHAT_BECOMES_OF_SGD, *WHAT_BECOMES_OF_MOMENTUM} == set(IDIOMS)


def test_from_adamw_without_bias_correction_idioms_make_cautious_adamw() -> None:
    program = applied("bias_correction", ADAMW, 4)
    average_of_squares = next(i for i, line in enumerate(program.body) if line.function == "sqrt")
    program = applied("bias_correction", program, average_of_squares)
    decayed = next(i for i, line in enumerate(program.body) if line.function == "+")
    program = applied("cautious", program, decayed)
    expected = program_of(
        "w, g, m, v, lr, step",
        "m = interp(g, m, 0.9)",
        "v = interp(square(g), v, 0.999)",
        "u = (m * reciprocal(1.0 - power(0.9, step))) / sqrt(v * reciprocal(1.0 - power(0.999, step)))",
        "mask = greater(u * g, 0.0)",
        "u = u * (mask * reciprocal(max(leaf_mean(mask), 0.001))) + w * 0.01",
        "update = u * (lr * 0.001)",
        "return update, m, v",
    )
    assert structure(program) == structure(expected)


def test_a_state_has_the_shape_of_the_value_that_it_averages() -> None:
    rows = program_of("w, g, lr", "r = row_mean(g)", "n = norm(g)", "update = (g / r) / n", "return update")
    assert applied("average", rows, 2, 1).states[0].shape == "row"
    assert applied("average", rows, 3, 1).states[0].shape == "leaf"
    flipped = program_of("w, g, lr", "t = transpose(g)", "a = matmul(g, t)", "update = matmul(a, g)", "return update")
    assert with_idiom(flipped, trace(flipped), use_of(flipped, 1, 1), IDIOMS["average"], 0.9, LIMITS) is None


def test_an_input_that_is_assigned_again_is_still_read() -> None:
    program = program_of("w, g, lr", "g = square(g)", "w = sqrt(g)", "update = w * lr", "return update")
    child = applied("trust_ratio", program, 2)
    expected = program_of("w, g, lr", "x = sqrt(square(g))", "update = (x * (norm(w) / norm(x))) * lr", "return update")
    assert structure(child) == structure(expected)


def test_a_program_that_uses_the_name_step_for_something_else_gets_no_step() -> None:
    program = program_of("w, g, m, lr", "step = interp(g, m, 0.9)", "update = step * lr", "return update, step")
    assert with_idiom(program, trace(program), use_of(program, 1), IDIOMS["bias_correction"], 0.9, LIMITS) is None


def test_the_update_after_its_rate_is_no_place_for_an_idiom() -> None:
    nodes = {place.node for place in idiom_places(ADAMW, trace(ADAMW))}
    assert trace(ADAMW).update not in nodes


@pytest.mark.parametrize("functions", ["core", "extended", "whitening"])
def test_idioms_use_allowed_functions_alone(functions: str) -> None:
    space = OptimizerSpace(ADAMW, functions)
    rng = np.random.default_rng(0)
    used = {line.function for _ in range(100) for line in space.vary(ADAMW, "idiom", rng).genome.body}
    assert used <= set(space.functions)
    assert ("orthogonalize" in space.idioms) == (functions != "core")
    assert ("whiten_rows" in space.idioms) == (functions == "whitening")


def test_products_of_rows_are_averaged_only_in_a_search_that_may_take_their_root() -> None:
    program = program_of("w, g, lr", "a = matmul(g, transpose(g))", "update = matmul(a, g) * lr", "return update")
    place = use_of(program, 2)
    for functions, shapes in (("extended", []), ("whitening", ["left"])):
        limits = OptimizerSpace(program, functions).limits
        child = with_idiom(program, trace(program), place, IDIOMS["average"], 0.9, limits)
        assert [state.shape for state in (child.states if child else ())] == shapes


def test_only_the_chosen_idioms_are_used() -> None:
    space = OptimizerSpace(ADAMW, "extended", idioms=("average", "sign"))
    rng = np.random.default_rng(0)
    children = [space.vary(ADAMW, "idiom", rng).genome for _ in range(50)]
    added = {line.function for child in children for line in child.body} - {line.function for line in ADAMW.body}
    assert added == {"sign"}
    decays = {child.constants for child in children if len(child.states) == 3}
    assert len(decays) > len(DECAYS)


def test_a_program_grows_neither_beyond_its_statements_nor_beyond_its_states() -> None:
    space = OptimizerSpace(ADAMW, "extended", max_statements=25, max_states=4)
    rng = np.random.default_rng(0)
    program, sizes = ADAMW, set()
    for step in range(150):
        program = space.vary(program, ("idiom", "idiom", "modify", "delete")[step % 4], rng).genome
        sizes.add((len(program.body), len(program.states)))
    assert max(statements for statements, _ in sizes) in range(20, 26)
    assert max(states for _, states in sizes) == 4


def test_dead_parts_make_room() -> None:
    full = program_of("w, g, a, b, lr", "x = square(g)", "y = square(x)", "update = g * lr", "return update, y, x")
    child = idiom(full, trace(full), ("average",), Limits(statements=3, states=2), np.random.default_rng(0))
    assert child is not None
    assert (len(child.body), len(child.states)) == (2, 1)
    tight = live_program(full)
    assert idiom(tight, trace(tight), ("average",), Limits(statements=1, states=2), np.random.default_rng(0)) is None


@pytest.mark.slow
def test_idioms_fit_every_program_of_the_library() -> None:
    rng = np.random.default_rng(0)
    for (name, program), chosen in product(library().items(), IDIOMS):
        parent = parse(program)
        space = OptimizerSpace(parent, "whitening", idioms=(chosen,))
        child = space.vary(parent, "idiom", rng).genome
        assert space.check(child) is None
        assert child != parent or IDIOMS[chosen].of_averages, name
