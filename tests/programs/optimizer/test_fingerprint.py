"""Fingerprints: equal where programs are the same, different where they are not, and never a false merge."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch
from programs_of_lines import program_of

from germline.programs.optimizer import Program, library, parse, trace, write
from germline.programs.optimizer.fingerprint import fingerprint, numeric_fingerprint, structural_fingerprint
from germline.programs.optimizer.flat import FlatProgram, Layout, Value
from germline.programs.optimizer.graph import live_program
from germline.programs.optimizer.interpret import Interpreter
from germline.programs.optimizer.types import STATE_TYPES

ADAMW = library()["adamw_plain"]


def fingerprint_of(*lines: str, signature: str = "w, g, m, v, lr", returns: str = "update, m, v") -> str:
    return fingerprint(trace(program_of(signature, *lines, f"return {returns}")))


def fingerprint_of_text(text: str) -> str:
    return fingerprint(trace(parse(text)))


SAME = {
    "names": (("a = g * 0.5", "update = a + w"), ("b = g * 0.5", "update = b + w")),
    "order": (("a = sin(g)", "b = cos(w)", "update = a / b"), ("b = cos(w)", "a = sin(g)", "update = a / b")),
    "dead code": (("update = g * lr",), ("x = exp(w)", "update = g * lr", "v = x + v")),
    "a dead state": (("update = g * lr",), ("update = g * lr", "m = interp(g, m, 0.9)")),
    "a copy": (("update = g * lr",), ("x = g", "y = x", "update = y * lr")),
    "commuted +": (("update = g * w + g",), ("update = g + w * g",)),
    "commuted max": (("update = max(g, w) * lr",), ("update = max(w, g) * lr",)),
    "commuted dot": (("update = g * dot(g, w)",), ("update = g * dot(w, g)",)),
    "x - x": (("update = g * lr",), ("x = w - w", "update = g * lr + x")),
    "times one": (("update = g * lr",), ("update = g * lr * 1.0",)),
    "a detour": (("update = g * lr",), ("update = negative(negative(g)) * lr",)),
    "folded constants": (("update = g * 0.75",), ("x = 0.5 + 0.25", "update = g * x")),
    "equal constants": (("update = g * 3.0",), ("x = square(2.0) - 1.0", "update = g * x")),
    "a constant by name": (("update = g * 1e-8",), ("update = g * get_eps()",)),
    "a square": (("update = square(g)",), ("update = g * g",)),
    "a step that is not used": (("update = g * lr",), ("x = lr * 2.0", "update = g * lr")),
}


@pytest.mark.parametrize("name", SAME)
def test_equal_programs_have_equal_fingerprints(name: str) -> None:
    a, b = SAME[name]
    assert fingerprint_of(*a) == fingerprint_of(*b)


def test_names_and_order_of_states_do_not_change_the_fingerprint() -> None:
    lines = ("m = interp(g, m, 0.9)", "v = interp(square(g), v, 0.99)", "update = m / sqrt(v)")
    swapped = ("v = interp(g, v, 0.9)", "m = interp(square(g), m, 0.99)", "update = v / sqrt(m)")
    assert fingerprint_of(*lines) == fingerprint_of(*swapped)
    assert fingerprint_of(*lines) == fingerprint_of(*lines, signature="w, g, v, m, lr", returns="update, v, m")


DIFFERENT = {
    "a constant": (("update = g * 0.5",), ("update = g * 0.500001",)),
    "a sign": (("update = g * 0.5",), ("update = g * -0.5",)),
    "a decay": (("m = interp(g, m, 0.9)", "update = m"), ("m = interp(g, m, 0.9001)", "update = m")),
    "the rate": (("update = g * 0.5",), ("update = g * lr",)),
    "how the rate enters": (("update = g * lr",), ("update = g * square(lr)",)),
    "order of subtraction": (("update = g - w",), ("update = w - g",)),
    "a weight under a sign": (("update = sign(interp(g, w, 0.5))",), ("update = sign(interp(g, w, 0.53))",)),
    "a weight under a division that saturates": (
        ("x = interp(g, w, 0.5)", "update = x / sqrt(x * x)"),
        ("x = interp(g, w, 0.53)", "update = x / sqrt(x * x)"),
    ),
    "a weight under tanh": (("update = tanh((g + w) * 1e9)",), ("update = tanh((g - w * -1.01) * 1e9)",)),
    "a bound that is not reached": (("update = max(g, -1000.0)",), ("update = max(g, -2000.0)",)),
    "a floor of the rate": (("update = g * max(lr, 0.2)",), ("update = g * max(lr, 0.25)",)),
    "a clip": (("update = clip(g, 1e4)",), ("update = clip(g, 2e4)",)),
    "which of two states": (("m = m + g", "v = v + w", "update = m"), ("m = m + g", "v = v + w", "update = v")),
}


@pytest.mark.parametrize("name", DIFFERENT)
def test_different_programs_have_different_fingerprints(name: str) -> None:
    a, b = DIFFERENT[name]
    assert fingerprint_of(*a) != fingerprint_of(*b)


def test_the_step_count_influences_the_fingerprint() -> None:
    signature, returns = "w, g, lr, step", "update"
    lines = ["update = g * lr", "update = g / step", "update = g * sign(modulo(step, 1000.0))"]
    lines += [
        "update = g * sign(modulo(step, 900.0))",
        "update = g * min(step, 700.0)",
        "update = g * min(step, 800.0)",
    ]
    prints = {fingerprint_of(line, signature=signature, returns=returns) for line in lines}
    assert len(prints) == len(lines)


def test_a_delay_through_states_changes_the_fingerprint() -> None:
    direct = fingerprint_of("update = m", "m = v", "v = g * 0.5")
    assert direct != fingerprint_of("update = m", "m = v", "v = g * 0.6")
    assert direct != fingerprint_of("update = v", "v = g * 0.5")


def test_a_jump_reached_from_one_side_falls_back_to_the_structure() -> None:
    never = trace(parse("def train(w, g, lr):\n  x = greater(lr, 5.0)\n  update = g + x\n  return update\n"))
    assert numeric_fingerprint(never) is None
    assert fingerprint(never) == structural_fingerprint(never)
    assert fingerprint(never) != fingerprint_of("update = g")


def test_programs_that_blow_up_fall_back_to_their_structure() -> None:
    graph = trace(parse("def train(w, g, lr):\n  update = reciprocal(w - w) * g\n  return update\n"))
    assert numeric_fingerprint(graph) is None
    assert fingerprint_of("x = reciprocal(w)", "update = x * g") == fingerprint_of(
        "y = reciprocal(w)", "update = g * y"
    )
    assert fingerprint_of("x = reciprocal(w)", "update = x * g") != fingerprint_of(
        "x = reciprocal(g)", "update = x * g"
    )


def test_every_program_of_the_library_has_its_own_fingerprint() -> None:
    prints = {fingerprint_of_text(text) for text in library().values()}
    assert len(prints) == len(library())


def test_fingerprints_are_those_of_earlier_releases() -> None:
    assert fingerprint_of_text(ADAMW) == "e1957544ca83d9313d0a6d4b"
    assert fingerprint_of_text(library()["lion"]) == "659b4f3d7faa55fd43b78c87"


@pytest.mark.slow
@pytest.mark.parametrize("seed", ["0", "1", "4242"])
def test_a_fingerprint_is_the_same_in_every_process(seed: str) -> None:
    code = (
        "from germline.programs.optimizer import library, parse, trace\n"
        "from germline.programs.optimizer.fingerprint import fingerprint\n"
        "print(*(fingerprint(trace(parse(text))) for text in library().values()))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, text=True
    )
    assert done.stdout.split() == [fingerprint_of_text(text) for text in library().values()], done.stderr


def renamed(program: Program, rng: np.random.Generator) -> Program:
    """The same program with other names and, where nothing else depends on it, swapped arguments."""
    fixed = {*program.inputs}
    names = sorted({line.target for line in program.body} - fixed)
    new = dict(zip(names, [f"n{i}" for i in rng.permutation(len(names))], strict=True))
    body = []
    for line in program.body:
        args = tuple(new.get(arg, arg) if isinstance(arg, str) else arg for arg in line.args)
        args = args[::-1] if line.function in ("+", "*", "max", "min", "dot") else args
        body.append(replace(line, target=new.get(line.target, line.target), args=args))
    return replace(program, body=tuple(body), returns=tuple(new.get(name, name) for name in program.returns))


@pytest.mark.slow
def test_renamed_and_commuted_mutants_keep_their_fingerprint(
    mutants: Callable[..., Iterator[Program]], scale: int
) -> None:
    rng = np.random.default_rng(0)
    for _, program in zip(range(400 * scale), mutants(21, "whitening"), strict=False):
        other = renamed(program, rng)
        assert structural_fingerprint(trace(other)) == structural_fingerprint(trace(program)), write(program)
        assert fingerprint(trace(live_program(program))) == fingerprint(trace(program)), write(program)


LAYOUT = Layout(((), (5,), (3, 4), (2, 3, 2, 1)))
FRESH = 32
"""Inputs on which two programs with equal fingerprints are compared."""
STEPS = 6


def fresh_inputs(seed: int) -> list[dict[str, torch.Tensor]]:
    """Weights and gradients of many magnitudes for a few steps, `[rows, elements]`, with schedule and step count."""
    rng = np.random.default_rng(seed)
    size = 10.0 ** rng.uniform(-3.0, 1.3, (FRESH, 1))
    inputs = []
    for t in range(STEPS):
        w, g, lr = (
            rng.standard_normal((FRESH, LAYOUT.elements)),
            rng.standard_normal((FRESH, LAYOUT.elements)),
            rng.random(),
        )
        values = {"w": w, "g": size * g, "lr": np.full((1, 1), lr), "step": np.full((1, 1), t + 1.0)}
        inputs.append({name: torch.as_tensor(value, dtype=torch.float32) for name, value in values.items()})
    return inputs


def run_rows(program: Program, inputs: list[dict[str, torch.Tensor]]) -> torch.Tensor:
    """The updates, `[steps, rows, elements]`."""
    graph = trace(program)
    flat = FlatProgram(graph, LAYOUT, torch, torch.as_tensor(LAYOUT.leaf_of))
    literals = [torch.full((1, 1), graph.nodes[i].literal or 0.0) for i in flat.literals]
    states: dict[int, Value] = {k: start(program.states[k].shape) for k in graph.live_states}
    updates = []
    for step in inputs:
        update, states = flat.run(step | {program.states[k].name: value for k, value in states.items()}, literals)
        updates.append(update.expand(FRESH, LAYOUT.elements))
    return torch.stack(updates)


def start(shape: str) -> Value:
    return LAYOUT.zeros(STATE_TYPES[shape], FRESH, torch.zeros)


def equal(a: torch.Tensor, b: torch.Tensor) -> bool:
    """Whether updates `[…, elements]` agree to 1e-6 of the largest of their row."""
    largest = a.abs().nan_to_num(0.0, 0.0).amax(-1, keepdim=True)
    with_nan = (a == b) | (a.isnan() & b.isnan())
    return bool((with_nan | ((a - b).abs() <= 1e-6 * largest)).all())


@pytest.mark.slow
@pytest.mark.parametrize("functions", ["core", "extended", "whitening"])
def test_programs_with_equal_fingerprints_give_equal_updates(
    mutants: Callable[..., Iterator[Program]], scale: int, functions: str
) -> None:
    inputs = fresh_inputs(17)
    first: dict[str, tuple[Program, str]] = {}
    pairs = beyond_structure = 0
    for program in mutants(5, functions, length=40):
        graph = trace(program)
        structure = structural_fingerprint(graph)
        other, its_structure = first.setdefault(fingerprint(graph), (program, structure))
        if other.body == program.body:
            continue
        pairs += 1
        beyond_structure += structure != its_structure
        assert equal(run_rows(other, inputs), run_rows(program, inputs)), f"{write(other)}\n{write(program)}"
        if pairs == 600 * scale:
            break
    print(f"{functions}: {pairs} pairs, {beyond_structure} of other structure, {len(first)} fingerprints")
    assert beyond_structure > 20


@pytest.mark.slow
def test_the_interpreter_gives_equal_updates_for_equal_fingerprints(mutants: Callable[..., Iterator[Program]]) -> None:
    first: dict[str, Program] = {}
    pairs = 0
    inputs = fresh_inputs(18)
    for program in mutants(6, "core", length=40):
        other = first.setdefault(fingerprint(trace(program)), program)
        if structural_fingerprint(trace(other)) == structural_fingerprint(trace(program)):
            continue
        row = pairs % FRESH
        a, b = Interpreter(other), Interpreter(program)
        for step in inputs:
            w, g = ([leaf[row] for leaf in LAYOUT.split(step[name])] for name in ("w", "g"))
            updates = [torch.cat([x.reshape(-1) for x in each.step(w, g, step["lr"].item())]) for each in (a, b)]
            assert equal(*updates), f"{write(other)}\n{write(program)}"
        pairs += 1
        if pairs == 60:
            break


def test_the_order_of_max_and_min_shows_at_zeros_below_a_pole_alone() -> None:
    ones, nan = [torch.ones(3)], [torch.full((3,), float("nan"))]
    for function in ("max", "min"):
        pairs = []
        for arguments in ("z, n", "n, z"):
            body = f"z = g * 0.0\n  n = negative(z)\n  x = {function}({arguments})\n  u = "
            texts = [f"def train(w, g, lr):\n  {body}{update}\n  return u\n" for update in ("reciprocal(x)", "x * w")]
            pairs.append([parse(text) for text in texts])
        for first, second in zip(*pairs, strict=True):
            assert fingerprint(trace(first)) == fingerprint(trace(second))
        (pole, plain), (other_pole, other_plain) = pairs
        assert torch.equal(
            Interpreter(pole).step(ones, ones, 1.0)[0], -Interpreter(other_pole).step(ones, ones, 1.0)[0]
        )
        for g in (ones, nan):
            results = [Interpreter(one).step(ones, g, 1.0)[0] for one in (plain, other_plain)]
            assert torch.equal(results[0].nan_to_num(7.0), results[1].nan_to_num(7.0))


def test_a_function_that_magnifies_rounding_leaves_the_fingerprint_to_the_structure() -> None:
    for name in ("shampoo", "soap"):
        graph = trace(parse(library()[name]))
        assert numeric_fingerprint(graph) is None
        assert fingerprint(graph) == structural_fingerprint(graph)
