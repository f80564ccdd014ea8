"""Variation: what the operators do, that they are reproducible, and that no mutant breaks anything."""

from collections.abc import Callable, Iterator
from dataclasses import fields
from hashlib import sha256
from itertools import islice

import numpy as np
import pytest

from germline.programs.optimizer import InvalidProgram, Program, library, mutate, parse, trace, write
from germline.programs.optimizer.fingerprint import structural_fingerprint
from germline.programs.optimizer.primitives import CORE, FUNCTION_SETS
from germline.programs.optimizer.space import OptimizerSpace

ADAMW = parse(library()["adamw_plain"])
OPERATORS = sorted(OptimizerSpace(ADAMW).operators)
EARLIEST = ("delete", "insert", "modify", "rate", "tune")
"""Operators whose draws are older than those of the others."""


def children(operator: str, seed: int = 0, count: int = 200) -> list[Program]:
    rng = np.random.default_rng(seed)
    space = OptimizerSpace(ADAMW)
    return [space.vary(ADAMW, operator, rng).genome for _ in range(count)]


def differences(child: Program) -> list[int]:
    return [i for i, (a, b) in enumerate(zip(ADAMW.body, child.body, strict=True)) if a != b]


def test_insert_adds_one_statement_and_keeps_the_rest() -> None:
    for child in children("insert"):
        assert len(child.body) == len(ADAMW.body) + 1
        assert any(child.body[:i] + child.body[i + 1 :] == ADAMW.body for i in range(len(child.body)))


def test_delete_drops_one_statement_and_keeps_the_rest() -> None:
    for child in children("delete"):
        assert any(ADAMW.body[:i] + ADAMW.body[i + 1 :] == child.body for i in range(len(ADAMW.body)))


def test_modify_changes_at_most_one_argument_and_never_a_function_a_target_or_the_return_line() -> None:
    changed = 0
    for child in children("modify"):
        assert child.returns == ADAMW.returns
        for i in (changes := differences(child)):
            a, b = ADAMW.body[i], child.body[i]
            assert (a.target, a.function) == (b.target, b.function)
            assert sum(x != y for x, y in zip(a.args, b.args, strict=True)) == 1
        assert len(changes) <= 1
        changed += len(changes)
    assert changed > 100


def test_tune_moves_constants_alone_and_flips_no_sign() -> None:
    moved = 0
    for child in children("tune"):
        for i in differences(child):
            for a, b in zip(ADAMW.body[i].args, child.body[i].args, strict=True):
                assert isinstance(a, float) == isinstance(b, float)
                assert a == b if isinstance(a, str) else a * b > 0
        assert len(child.constants) == len(ADAMW.constants)
        moved += sum(a != b for a, b in zip(ADAMW.constants, child.constants, strict=True))
    assert moved > 300


def test_rate_moves_the_constant_that_scales_the_whole_update() -> None:
    i, j = mutate.rate_constant(ADAMW) or (-1, -1)
    assert ADAMW.body[i].args[j] == 0.001
    for child in children("rate"):
        assert differences(child) in ([i], [])


def test_a_program_whose_update_is_not_scaled_by_a_constant_has_no_rate() -> None:
    assert mutate.rate_constant(parse("def train(w, g, lr):\n  update = g + w\n  return update\n")) is None
    assert (
        mutate.rate(parse("def train(w, g, lr):\n  update = g + w\n  return update\n"), np.random.default_rng()) is None
    )


def test_replace_exchanges_a_function_for_another_that_takes_the_same_arguments() -> None:
    functions = set()
    for child in children("replace"):
        (i,) = differences(child)
        before, after = ADAMW.body[i], child.body[i]
        assert (before.target, before.args) == (after.target, after.args)
        assert before.function != after.function
        functions.add(after.function)
    assert len(functions) > 25
    assert functions <= set(CORE) - {"norm", "global_norm", "dot", "cosine_sim", "invert"}


def test_replace_keeps_the_type_of_the_value() -> None:
    lines = "  n = global_norm(g)\n  d = dot(w, g)\n  n = n * d\n  update = g * n\n  return update, n\n"
    norms = parse(f"def train(w, g, n: scalar, lr):\n{lines}")
    graph = trace(norms)
    rng = np.random.default_rng(0)
    replaced = [mutate.replace(norms, graph, CORE, rng) for _ in range(200)]
    firsts = {program.body[0].function for program in replaced if program}
    seconds = {program.body[1].function for program in replaced if program}
    assert firsts == {"global_norm"}
    assert seconds == {"dot", "cosine_sim"}


def test_replace_needs_a_live_statement_with_another_function() -> None:
    dead = parse("def train(w, g, lr):\n  x = square(g)\n  return g\n")
    assert mutate.replace(dead, trace(dead), CORE, np.random.default_rng(0)) is None


def test_insert_stops_at_the_longest_program() -> None:
    space = OptimizerSpace(ADAMW, max_statements=len(ADAMW.body))
    assert space.vary(ADAMW, "insert", np.random.default_rng(0)).genome == ADAMW


@pytest.mark.parametrize("functions", ["core", "extended", "whitening"])
def test_inserted_functions_are_those_of_the_function_set(functions: str) -> None:
    rng = np.random.default_rng(0)
    parent = parse(library()["soap"]) if functions == "whitening" else ADAMW  # its new functions need square matrices
    space = OptimizerSpace(parent, functions)
    inserted = set()
    for _ in range(800):
        child = space.vary(parent, "insert", rng).genome
        inserted |= {line.function for line in child.body if line not in parent.body}
    allowed = FUNCTION_SETS[functions]
    assert inserted <= set(allowed)
    # What needs arguments of types that seldom meet.
    assert set(allowed) - inserted <= {"invert", "matmul", "rank_one", "eigenbasis", "rotate_back"}


@pytest.mark.parametrize("operator", OPERATORS)
def test_an_operator_is_a_function_of_the_generator(operator: str) -> None:
    assert children(operator, seed=7) == children(operator, seed=7)
    assert children(operator, seed=7) != children(operator, seed=8)


def test_thirty_proposals_are_those_of_this_release() -> None:
    rng = np.random.default_rng(20230213)
    space = OptimizerSpace(ADAMW)
    program, texts = ADAMW, []
    for birth in range(30):
        program = space.vary(program, EARLIEST[birth % len(EARLIEST)], rng).genome
        texts.append(write(program))
    digest = sha256("\n".join(texts).encode()).hexdigest()
    assert digest == "f53feb43a7aaff5767e2cc2901cfc45ca04c9a32878b29113e5a3b3b7398b785", (
        "a new sequence of births: old runs cannot be resumed by this release"
    )


def test_random_programs_are_valid_and_reproducible() -> None:
    space = OptimizerSpace(parse("def train(w, g, m, lr):\n  update = g * lr\n  m = g + m\n  return update, m\n"))
    drawn = [space.draw(np.random.default_rng(seed)).genome for seed in range(5)]
    assert all(space.check(program) is None for program in drawn)
    assert all(len(program.body) == 2 for program in drawn)
    assert drawn == [space.draw(np.random.default_rng(seed)).genome for seed in range(5)]


@pytest.mark.slow
@pytest.mark.parametrize("functions", ["core", "extended", "whitening"])
def test_every_mutant_reads_back_the_same_with_the_same_fingerprint(
    mutants: Callable[..., Iterator[Program]], scale: int, functions: str
) -> None:
    space = OptimizerSpace(ADAMW, functions)
    different = set()
    for birth, program in enumerate(islice(mutants(1, functions), 2_500 * scale)):
        again = parse(write(program))
        assert again == program
        assert structural_fingerprint(trace(again)) == structural_fingerprint(trace(program))
        if birth % 5 == 0:
            different.add(space.fingerprint(again))
    assert len(different) > 300


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "functions"),
    [
        ("adafactor", "core"),
        ("stable_spam", "core"),
        ("exadam", "extended"),
        ("lamb", "extended"),
        ("muon", "extended"),
    ],
)
def test_random_programs_with_a_long_signature_are_valid_and_differ(name: str, functions: str) -> None:
    start = parse(library()[name])
    space = OptimizerSpace(start, functions)
    drawn = [space.draw(np.random.default_rng(seed)).genome for seed in range(5)]
    assert all(space.check(program) is None for program in drawn)
    assert all(len(program.body) == len(start.body) and program.returns == start.returns for program in drawn)
    assert len({write(program) for program in [start, *drawn]}) == 6
    assert drawn[:2] == [space.draw(np.random.default_rng(seed)).genome for seed in range(2)]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["adabelief", "diffgrad"])
def test_where_valid_programs_are_rare_they_are_still_drawn_whole(name: str) -> None:
    """The lineages of these starts with functions=extended are older than programs that are built by statement."""
    space = OptimizerSpace(parse(library()[name]), "extended")
    program = space.draw(np.random.default_rng(0)).genome
    rng = np.random.default_rng(0)
    whole = (mutate.random_program(space.start, space.functions, len(space.start.body), rng) for _ in range(100_000))
    assert program == next(each for each in whole if space.check(each) is None)


def random_valid(template: Program, length: int, seed: int) -> Program | None:
    return mutate.random_valid_program(template, CORE, length, np.random.default_rng(seed))


def test_a_random_program_assigns_every_name_that_it_returns() -> None:
    inputs = "w, g, r: row, c: column, s: scalar, lr, step"
    body = "  r2 = row_mean(g)\n  c2 = column_mean(g)\n  u = g * lr\n  lr = norm(u)\n  lr = dot(u, g)\n"
    template = parse(f"def train({inputs}):\n{body}  return u, r2, c2, lr\n")
    for seed in range(200):
        program = random_valid(template, 4, seed)
        assert program is not None and len(program.body) == 4
        trace(program)
        assert parse(write(program)) == program


def test_inputs_may_return_other_types_than_they_came_with() -> None:
    template = parse(
        "def train(w, g, s: scalar, t: scalar, lr):\n  u = g\n  w = dot(u, w)\n  g = w\n  return u, w, g\n"
    )
    for seed in range(100):
        program = random_valid(template, 5, seed)
        assert program is not None
        trace(program)


@pytest.mark.slow
def test_a_signature_that_no_random_program_has_is_an_error_in_a_line() -> None:
    exchange = "def train(w, g, r: row, c: column, lr):\n  c = row_mean(g)\n  r = column_mean(g)\n  return g, c, r\n"
    space = OptimizerSpace(parse(exchange), "core")
    with pytest.raises(InvalidProgram, match="expected a start program whose signature random programs can have"):
        space.draw(np.random.default_rng(0))


def test_other_statements_leave_all_else_of_a_program_as_it_is() -> None:
    program = parse("def train(w, g, s: leaf, lr, step, progress, loss):\n  u = g * lr\n  return u, s\n")
    other = program.with_body(program.body[:0])
    kept = {field.name for field in fields(Program)} - {"body", "lines"}
    assert all(getattr(other, name) == getattr(program, name) for name in kept)
    assert (other.body, other.lines, program.lines) == ((), (), (2,))
