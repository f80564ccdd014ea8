"""Simplification: known smallest forms are reached, what only looks equal stays apart, and behaviour never changes."""

import os
import subprocess
import sys
import time
from dataclasses import replace
from functools import cache

import pytest
import torch
from disguises import DISGUISES, disguised
from simplification_checks import behaviour, random_program
from simplification_corpus import APART, APART_STATES, CASES, program

from germline.programs.optimizer import Program, library, parse, trace, write
from germline.programs.optimizer.fingerprint import structural_fingerprint
from germline.programs.optimizer.interpret import Interpreter
from germline.programs.optimizer.simplify import simplify
from germline.programs.optimizer.simplify.engine import Simplified
from germline.programs.optimizer.simplify.proof import compare, prove, prove_whole, within_bound
from germline.programs.optimizer.simplify.report import paragraph, what_went
from germline.programs.optimizer.simplify.trajectory import run

pytestmark = pytest.mark.slow

ONES = torch.ones(2)

SCALE = int(os.environ.get("GERMLINE_SCALE", "1"))
SECONDS = 5.0
"""The longest time of one simplification on one core."""


def sizes(result: Program) -> tuple[int, int]:
    return len(result.body), len(result.states)


@pytest.mark.parametrize("name", CASES)
def test_a_program_comes_down_to_its_known_size(name: str) -> None:
    case = CASES[name]
    start = time.process_time()
    result = simplify(case.program).program
    assert time.process_time() - start < SECONDS
    assert sizes(result) <= (case.statements, case.kept)
    assert len(result.states) <= case.kept


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_every_step_of_the_corpus_holds(name: str) -> None:
    simplified = simplify(CASES[name].program)
    checks = prove(simplified, 25)
    assert [step.name for step, check in zip(simplified.steps, checks, strict=True) if not check.holds] == []
    assert prove_whole(simplified, 25).verified


DISGUISED = [
    (name, disguise)
    for i, name in enumerate(library())
    for j, disguise in enumerate(DISGUISES)
    if SCALE > 1 or (i + j) % len(DISGUISES) == 0
]
"""Each program of the library in one disguise, and so each disguise on several of them; with GERMLINE_SCALE=2 all."""


@cache
def simplified_library_program(name: str) -> Program:
    return simplify(parse(library()[name])).program


@pytest.mark.slow
@pytest.mark.parametrize(("name", "disguise"), DISGUISED)
def test_a_disguised_library_program_comes_down_to_the_size_of_the_plain_one(name: str, disguise: str) -> None:
    expected = simplified_library_program(name)
    start = time.process_time()
    result = simplify(disguised(parse(library()[name]), disguise)).program
    assert time.process_time() - start < SECONDS
    assert len(result.body) <= len(expected.body)
    assert len(result.states) <= len(expected.states)


@pytest.mark.slow
@pytest.mark.parametrize("disguise", DISGUISES)
def test_every_step_from_a_disguised_program_holds(disguise: str) -> None:
    simplified = simplify(disguised(parse(library()["adabelief"]), disguise))
    assert all(check.holds for check in prove(simplified, 20))


@pytest.mark.parametrize("name", [*APART, *APART_STATES])
def test_programs_that_only_look_equal_stay_apart(name: str) -> None:
    first, second, *states = (APART | APART_STATES)[name]  # type: ignore[operator]
    forms = [simplify(program(body, *states), "almost").program for body in (first, second)]
    assert structural_fingerprint(trace(forms[0])) != structural_fingerprint(trace(forms[1]))


EXACTLY_APART = {
    "an average by a weight that 1 - (1 - a) loses": (
        "a = interp(g, w, 1e-17); b = interp(w, g, 1.0); update = a + b",
        "update = g + g",
    ),
    "a literal that is zero in single precision": ("c = max(abs(g), 1e-50); update = where(c, g, w)", "update = g"),
    "the sign of what may be zero in single precision": ("c = sign(abs(g) + 1e-50); update = c * w", "update = w"),
    "literals that are equal in single precision": (
        "x = max(g, 1.00000000001); c = greater(x, 1.0); update = c * g",
        "update = g",
    ),
    "a difference that single precision rounds to zero": (
        "x = max(g, 1.00000000001); c = x - 1.0; update = where(c, g, w)",
        "update = g",
    ),
    "the rest by an infinite divisor": (
        "y = exp(step * 100.0); c = modulo(g, y); c = c - c; update = w + c",
        "update = w",
    ),
    "the order in which min chooses between zeros, before a pole": (
        "z = g * 0.0; n = negative(z); x = reciprocal(min(min(z, n), z)); update = sign(x)",
        "z = g * 0.0; n = negative(z); x = reciprocal(min(z, n)); update = sign(x)",
    ),
    "the sign of a zero before a pole": (
        "update = reciprocal(cube(cbrt(negative(g))))",
        "update = reciprocal(negative(g))",
    ),
}
"""Programs whose difference shows in single precision, or at infinity or zero."""


@pytest.mark.parametrize("name", EXACTLY_APART)
def test_programs_that_differ_for_some_numbers_stay_apart_at_the_exact_tier(name: str) -> None:
    forms = [simplify(program(body), "exact").program for body in EXACTLY_APART[name]]
    assert structural_fingerprint(trace(forms[0])) != structural_fingerprint(trace(forms[1]))


@pytest.mark.parametrize(
    "body",
    [
        "x = square(g); update = sign(x * 0.001)",
        "x = square(g); update = where(x * 0.001, g, w)",
        "update = sign(g / 1000.0)",
        "x = g * 1e39; update = negative(negative(x))",
        "x = max(g, 1e39); update = g + (x - x)",
    ],
)
def test_every_step_holds_where_single_precision_overflows_or_underflows(body: str) -> None:
    simplified = simplify(program(body))
    assert simplified.steps
    assert all(check.holds for check in prove(simplified, 5))


def test_a_state_keeps_the_sign_of_a_zero() -> None:
    simplified = simplify(program("x = sign(reciprocal(m)); m = negative(0.0); update = x * g", "m:scalar"), "exact")
    assert simplified.steps and "m_next = -0.0" in write(simplified.program)
    assert all(check.holds for check in prove(simplified, 3)) and prove_whole(simplified, 3).holds


def test_swapped_arguments_of_max_are_two_values_before_a_pole() -> None:
    zeros = "z = g * 0.0; n = negative(z); x = max(z, n); y = max(n, z)"
    simplified = simplify(program(f"{zeros}; update = sign(reciprocal(x)) + sign(reciprocal(y))"), "exact")
    assert [line.function for line in simplified.program.body].count("max") == 2
    assert all(check.holds for check in prove(simplified, 3))


def test_swapped_arguments_of_max_are_one_value_where_no_pole_follows() -> None:
    body = "m = max(m, abs(g)); v = max(abs(g), v); x = max(g, w) - max(w, g); update = g / m + g / v + x * 0.0"
    simplified = simplify(program(body, "m v"), "exact")
    assert sizes(simplified.program) <= (8, 1)


NOWHERE_FINITE = "x = power(negative(abs(w) + 1.0), 0.5); update = x * 1.0"
FINITE_FOR_ZEROS = "x = power(negative(abs(g)), 0.5); update = x * 1.0"


@pytest.mark.parametrize(("body", "scenarios"), [(NOWHERE_FINITE, set()), (FINITE_FOR_ZEROS, {"zeros", "sparse"})])
def test_updates_without_a_finite_number_are_not_compared(body: str, scenarios: set[str]) -> None:
    simplified = simplify(program(body))
    for check in (*prove(simplified, 4), prove_whole(simplified, 4)):
        assert check.holds and check.verified == bool(scenarios)
        assert check.by_scenario.keys() >= scenarios and check.compared == 0


def test_updates_that_are_zero_throughout_do_not_count_as_compared() -> None:
    for body, share in (("x = g * 2.0; update = x * 3.0", 7 / 8), ("x = g * 2.0; update = x * 3.0 + w", 1.0)):
        checks = prove(simplify(program(body)), 4)
        assert checks and all(check.verified and check.compared == share for check in checks)


def test_a_power_of_negative_numbers_is_no_other_way_to_compute_a_root() -> None:
    root, power, other = (
        program(f"update = {expression}") for expression in ("sqrt(cube(g))", "power(g, 1.5)", "power(abs(g), 1.5)")
    )
    assert not compare(run(root), run(power)).holds
    assert compare(run(root), run(other)).verified


def test_a_bounded_step_whose_value_is_never_finite_shows_nothing() -> None:
    body = "x = power(negative(abs(w) + 1.0), 0.5); y = x / abs(x); update = where(w, g, where(g, w, y))"
    simplified = simplify(program(body))
    assert [step.name for step in simplified.steps if step.tier == "bounded"] == ["value over its size"]
    (check,) = (c for c, step in zip(prove(simplified, 4), simplified.steps, strict=True) if step.tier == "bounded")
    assert check.holds and not check.verified


def test_a_bounded_step_on_means_of_rows_is_checked_against_its_bound() -> None:
    simplified = simplify(program("r = row_mean(g); y = r / abs(r); update = y * g"))
    rewriting = next(step.rewriting for step in simplified.steps if step.tier == "bounded")
    assert rewriting is not None and within_bound(rewriting, 4) is True
    (node,) = rewriting.proposal.changes
    wrong = replace(rewriting.proposal, changes={node: ("negative", rewriting.before.nodes[node].args[0])})
    assert within_bound(replace(rewriting, proposal=wrong), 4) is False


def test_a_bounded_step_may_change_nothing_but_its_value() -> None:
    simplified = simplify(program("x = g / abs(g); update = x + w * 0.5"))
    (step,) = (step for step in simplified.steps if step.tier == "bounded")
    other = replace(step, after=program("x = sign(g); update = x + w * 0.5000000001"))
    for changed, holds in ((step, True), (other, False)):
        (check,) = prove(Simplified(changed.before, changed.after, (changed,)), 4)
        assert check.holds is holds


def test_a_momentum_that_is_written_out_keeps_its_digits() -> None:
    body = "d = g + 0.0005 * w; buf = d + 0.9 * buf; update = (d + 0.9 * buf) * (0.05 * lr)"
    literals = {
        arg for line in simplify(program(body, "buf")).program.body for arg in line.args if isinstance(arg, float)
    }
    assert all(len(repr(literal)) < 8 for literal in literals), literals


@pytest.mark.parametrize("average", ["interp(g, m, 0.9)", "0.9 * m + 0.1 * g"])
def test_a_decay_that_is_used_twice_stays_one_number(average: str) -> None:
    nesterov = program(f"m = {average}; u = {average}; update = u * lr", "m")
    assert simplify(nesterov).program.constants == (0.9, 0.9)


def test_a_first_step_that_cancels_does_not_end_the_comparison() -> None:
    body = "m = interp(g, m, 0.9); v = 0.1 * g + 0.9 * v; update = (u - k) * 3.0 / 7.0; u = m; k = v * 2.0"
    simplified = simplify(program(body, "m v u k"), "exact")
    assert prove_whole(simplified).compared > 0.8


@pytest.mark.parametrize(
    ("body", "name", "went"),
    [
        ("x = g * g; update = x * lr", "square", "nothing; fewer arguments"),
        ("t = norm(g) * 0.001; x = t * lr; update = g * x", "merge factors", "single numbers in the place of tensors"),
        ("m = interp(g, m, 0.899); v = interp(g, m, 1.109); update = m + v", "terms", "fewer results wait for others"),
    ],
)
def test_a_step_that_takes_nothing_away_says_what_became_better(body: str, name: str, went: str) -> None:
    steps = simplify(program(body, "m v" if "interp" in body else "")).steps
    assert any(name in step.name and went in what_went(step) for step in steps)
    assert not any("reorder" in step.name and "statement" in what_went(step) for step in steps)


@pytest.mark.parametrize("weight", ["b = 0.9", "b = min(step, 0.9)"])
def test_a_weight_that_becomes_a_literal_rounds(weight: str) -> None:
    assert any(step.rounds for step in simplify(program(f"{weight}; m = interp(g, m, b); update = m", "m")).steps)


def test_a_weight_whose_name_is_given_again_rounds_too() -> None:
    assert any(step.rounds for step in simplify(program("b = 0.9; x = interp(g, w, b); b = g; update = x * b")).steps)


@pytest.mark.parametrize("divisor", ["b = 0.2", "b = where(step, 0.2, g)", "b = min(cosh(g), 0.2)"])
def test_a_divisor_that_becomes_a_literal_rounds(divisor: str) -> None:
    assert any(step.rounds for step in simplify(program(f"{divisor}; update = w / b"), "exact").steps)


@pytest.mark.parametrize("number", ["greater(1.000000001, 1.0)", "greater(0.1 + 0.2, 0.3)", "modulo(1.000000001, 1.0)"])
def test_a_comparison_of_numbers_that_are_equal_in_single_precision_stays(number: str) -> None:
    simplified = simplify(program(f"x = {number}; update = x * g"))
    given, after = (Interpreter(p).step([ONES], [ONES])[0] for p in (simplified.given, simplified.program))
    assert torch.equal(given, after)


@pytest.mark.parametrize(
    "body",
    [
        "update = cube(g * 1e200)",
        "update = reciprocal(cube(g * 1e-200))",
        "update = tanh(g * 1e200 * 1e200)",
        "x = w * 1e308; update = tanh(x * 10.0 + x)",
        "update = tanh(g / -1e-08)",
        "update = tanh(g * reciprocal(0.0))",
    ],
)
def test_a_literal_that_would_overflow_or_be_a_pole_stays_apart(body: str) -> None:
    simplified = simplify(program(body))
    assert parse(write(simplified.program)) == simplified.program
    given, after = (Interpreter(p).step([ONES], [ONES])[0] for p in (simplified.given, simplified.program))
    assert torch.equal(given, after)


def test_the_next_value_of_a_state_with_a_long_name_gets_a_name_that_parses() -> None:
    name = "m" * 40
    text = f"def train(w, g, {name}, lr):\n  a = interp(g, {name}, 0.9)\n  update = a + {name}\n"
    text += "  update = negative(negative(update))\n"
    simplified = simplify(parse(f"{text}  return update, a\n"))
    assert simplified.steps
    assert all(parse(write(step.after)) == step.after for step in simplified.steps)


@pytest.mark.slow
@pytest.mark.parametrize("count", [12, 40])
def test_simplifying_a_sum_of_many_averages_ends(count: int) -> None:
    averages = "; ".join(f"m{i} = interp(g, m{i}, {0.5 + i / 100:.2f})" for i in range(count))
    total = "; ".join(f"update = update + m{i}" for i in range(2, count))
    states = " ".join(f"m{i}" for i in range(count))
    given = program(f"{averages}; update = m0 + m1; {total}", states)
    assert sizes(simplify(given).program) == (2 * count - 1, count)


@pytest.mark.slow
@pytest.mark.parametrize("name", library())
def test_a_simplified_library_program_is_valid_and_cannot_be_simplified_further(name: str) -> None:
    simplified = simplify(parse(library()[name]))
    assert parse(write(simplified.program)) == simplified.program
    assert simplify(simplified.program).steps == ()


def test_the_pruned_program_becomes_the_sign_of_one_moving_average() -> None:
    simplified = simplify(CASES["the pruned program of Lion's search"].program)
    assert write(simplified.program) == (
        "def train(w, g, v, lr):\n"
        "  m = interp(g, v, 0.899)\n"
        "  v = interp(g, v, 0.996991)\n"
        "  update2 = sign(m)\n"
        "  wd = w * 0.4602\n"
        "  update3 = update2 + wd\n"
        "  lr2 = lr * 0.0002\n"
        "  update = update3 * lr2\n"
        "  return update, v\n"
    )
    assert simplified.tier == "bounded"
    assert all(check.holds for check in prove(simplified))


def test_the_raw_program_keeps_its_clipping_and_becomes_a_sign_too() -> None:
    simplified = simplify(parse(library()["lion_raw"]))
    functions = [line.function for line in simplified.program.body]
    assert functions == ["clip", "arcsin", "interp", "interp", "sign", "*", "+", "*", "*"]
    assert [state.name for state in simplified.program.states] == ["v"]


@pytest.mark.parametrize(("tier", "expected"), [("exact", "square sqrt /"), ("almost", "abs /"), ("bounded", "sign")])
def test_a_form_has_the_lowest_tier_that_reaches_it(tier: str, expected: str) -> None:
    simplified = simplify(program("update = g / sqrt(g * g)"), tier)  # type: ignore[arg-type]
    assert " ".join(line.function for line in simplified.program.body) == expected
    assert simplified.tier == tier


def test_the_steps_lead_from_the_given_program_to_the_simplified_one() -> None:
    simplified = simplify(parse(library()["lion_raw"]))
    programs = [step.before for step in simplified.steps] + [simplified.program]
    assert programs[0] == simplified.given
    assert programs[1:] == [step.after for step in simplified.steps]


def test_a_program_that_is_small_already_is_returned_as_it_is() -> None:
    lion = parse(library()["lion"])
    assert simplify(lion).program is lion


def test_the_result_does_not_depend_on_the_seed_of_hashes() -> None:
    code = (
        "from germline.programs.optimizer import library, parse, write\n"
        "from germline.programs.optimizer.simplify import simplify\n"
        "for name in ('lion_raw', 'exadam', 'sgd_momentum'):\n"
        "    print([(s.name, write(s.after)) for s in simplify(parse(library()[name])).steps])\n"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code], env=_environment(seed), capture_output=True, text=True, check=True
        ).stdout
        for seed in ("0", "1", "2")
    }
    assert len(outputs) == 1


def _environment(seed: str) -> dict[str, str]:
    return os.environ | {"PYTHONHASHSEED": seed}


@pytest.mark.slow
def test_random_programs_keep_their_behaviour(scale: int) -> None:
    programs = [program for number in range(60 * scale) if (program := random_program(number)) is not None]
    assert len(programs) > 50 * scale
    for program in programs:
        assert behaviour(program, 12)["failed"] == []


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("m = 0.9 * m + g; update = m * lr", "momentum 0.9"),
        ("m = 0.9 * (m + g); u = g + m; update = u * lr", "momentum 0.9"),
        ("m = max(0.999 * m, abs(g)); update = g / m", "State m is a running maximum with decay 0.999"),
        ("m = max(0.999 * m, abs(g)); update = g / m", "decay 0.999"),
        ("m = interp(g, m, 0.9); update = m * 0.5", "decay 0.9; other constant 0.5"),
    ],
)
def test_the_paragraph_says_what_constants_are_for(body: str, said: str) -> None:
    given = program(body, "m")
    assert said in paragraph(Simplified(given, given, ()), ())
