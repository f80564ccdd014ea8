"""Functions that are put around live values, and taken away."""

import numpy as np
import pytest
from programs_of_lines import program_of

from germline.programs.optimizer import Program, library, parse, trace, write
from germline.programs.optimizer.fingerprint import structural_fingerprint
from germline.programs.optimizer.fragment import Limits
from germline.programs.optimizer.primitives import EXTENDED, PRIMITIVES
from germline.programs.optimizer.wrapping import unwrap, wrap

LIMITS = Limits(statements=100, states=8)
PROGRAMS = ("adamw_plain", "lion", "muon", "adafactor", "hypergradient", "stable_spam")


def program(name: str) -> Program:
    return parse(library()[name])


def wrapped(parent: Program, seed: int, functions: tuple[str, ...] = EXTENDED, limits: Limits = LIMITS) -> Program:
    child = wrap(parent, trace(parent), functions, limits, np.random.default_rng(seed))
    assert child is not None and parse(write(child)) == child
    return child


def structure(of: Program) -> str:
    return structural_fingerprint(trace(of))


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_wrapped_program_has_another_live_function_and_the_same_states(name: str) -> None:
    parent = program(name)
    for seed in range(30):
        child = wrapped(parent, seed)
        assert structure(child) != structure(parent)
        assert child.states == parent.states


def test_the_direction_of_adamw_is_wrapped_within_some_thousand_tries() -> None:
    parent = program("adamw_plain")
    wanted = parse(library()["adamw_plain"].replace("  wd = ", "  update = orthogonalize(update)\n  wd = "))
    assert structure(wanted) in {structure(wrapped(parent, seed)) for seed in range(4_000)}


def test_another_argument_may_be_a_variable_or_a_new_constant() -> None:
    parent = program_of("w, g, lr", "update = g * lr", "return update")
    children = {write(wrapped(parent, seed, ("+",))) for seed in range(200)}
    assert write(program_of("w, g, lr", "x1 = g + w", "update = x1 * lr", "return update")) in children
    assert any("x1 = update + " in child and child.rstrip().endswith("return x1") for child in children)
    assert any("x1 = g + -0." in child for child in children)


@pytest.mark.parametrize("name", PROGRAMS)
def test_unwrapping_takes_a_live_function_away(name: str) -> None:
    parent = program(name)
    for seed in range(30):
        child = unwrap(parent, trace(parent), LIMITS, np.random.default_rng(seed))
        assert child is not None and parse(write(child)) == child
        assert structure(child) != structure(parent)
        trace(child)


def test_unwrapping_leads_back_from_a_wrapped_program() -> None:
    parent = program("adamw_plain")
    child = wrapped(parent, 1, ("sign",))
    back = {
        structure(other)
        for seed in range(200)
        if (other := unwrap(child, trace(child), LIMITS, np.random.default_rng(seed)))
    }
    assert structure(parent) in back


def test_a_program_without_room_or_without_a_function_that_fits_has_no_child() -> None:
    full = program_of("w, g, lr", "update = g * lr", "return update")
    assert wrap(full, trace(full), EXTENDED, Limits(statements=1, states=8), np.random.default_rng(0)) is None
    constants = tuple(name for name in EXTENDED if not PRIMITIVES[name].arity)
    assert wrap(full, trace(full), constants, LIMITS, np.random.default_rng(0)) is None
    bare = program_of("w, g, lr", "return g")
    assert unwrap(bare, trace(bare), LIMITS, np.random.default_rng(0)) is None


def test_dead_statements_make_room() -> None:
    parent = program_of("w, g, lr", "dead = sign(w)", "update = g * lr", "return update")
    child = wrapped(parent, 0, limits=Limits(statements=2, states=8))
    assert len(child.body) == 2 and "dead" not in write(child)
