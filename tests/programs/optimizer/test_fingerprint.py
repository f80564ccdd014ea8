"""Fingerprints: equal where programs are the same, different where they are not, and never a false merge."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch

from germline.programs.optimizer import Program, library, parse, trace, write
from germline.programs.optimizer.fingerprint import behaviour_fingerprint, fingerprint, structural_fingerprint
from germline.programs.optimizer.graph import live_program
from germline.programs.optimizer.interpret import Interpreter

ADAMW = library()["adamw_plain"]


def of(*lines: str, signature: str = "w, g, m, v, lr", returns: str = "update, m, v") -> str:
    text = "\n".join([f"def train({signature}):", *(f"  {line}" for line in lines), f"  return {returns}"])
    return fingerprint(trace(parse(text)))


def of_text(text: str) -> str:
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
def test_what_computes_the_same_has_one_fingerprint(name: str) -> None:
    a, b = SAME[name]
    assert of(*a) == of(*b)


def test_states_by_other_names_and_in_another_order_have_one_fingerprint() -> None:
    lines = ("m = interp(g, m, 0.9)", "v = interp(square(g), v, 0.99)", "update = m / sqrt(v)")
    swapped = ("v = interp(g, v, 0.9)", "m = interp(square(g), m, 0.99)", "update = v / sqrt(m)")
    assert of(*lines) == of(*swapped)
    assert of(*lines) == of(*lines, signature="w, g, v, m, lr", returns="update, v, m")


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
def test_what_computes_something_else_has_another_fingerprint(name: str) -> None:
    a, b = DIFFERENT[name]
    assert of(*a) != of(*b)


def test_the_step_count_counts() -> None:
    signature, returns = "w, g, lr, step", "update"
    lines = ["update = g * lr", "update = g / step", "update = g * sign(modulo(step, 1000.0))"]
    lines += [
        "update = g * sign(modulo(step, 900.0))",
        "update = g * min(step, 700.0)",
        "update = g * min(step, 800.0)",
    ]
    prints = {of(line, signature=signature, returns=returns) for line in lines}
    assert len(prints) == len(lines)


def test_a_delay_through_states_is_seen() -> None:
    direct = of("update = m", "m = v", "v = g * 0.5")
    assert direct != of("update = m", "m = v", "v = g * 0.6")
    assert direct != of("update = v", "v = g * 0.5")


def test_a_jump_that_shows_from_one_side_leaves_the_structure_to_decide() -> None:
    never = trace(parse("def train(w, g, lr):\n  x = greater(lr, 5.0)\n  update = g + x\n  return update\n"))
    assert behaviour_fingerprint(never) is None
    assert fingerprint(never) == structural_fingerprint(never)
    assert fingerprint(never) != of("update = g")


def test_programs_that_blow_up_fall_back_to_their_structure() -> None:
    graph = trace(parse("def train(w, g, lr):\n  update = reciprocal(w - w) * g\n  return update\n"))
    assert behaviour_fingerprint(graph) is None
    assert of("x = reciprocal(w)", "update = x * g") == of("y = reciprocal(w)", "update = g * y")
    assert of("x = reciprocal(w)", "update = x * g") != of("x = reciprocal(g)", "update = x * g")


def test_every_program_of_the_library_has_its_own_fingerprint() -> None:
    prints = {of_text(text) for text in library().values()}
    assert len(prints) == len(library())


def test_known_fingerprints_have_not_moved() -> None:
    assert of_text(ADAMW) == "1a8d00d0788a8c5edb041511"
    assert of_text(library()["lion"]) == "0664a8d61774f4c229d325d1"


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
    assert done.stdout.split() == [of_text(text) for text in library().values()], done.stderr


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


def test_renamed_and_commuted_mutants_keep_their_fingerprint(
    mutants: Callable[..., Iterator[Program]], scale: int
) -> None:
    rng = np.random.default_rng(0)
    for _, program in zip(range(400 * scale), mutants(21, "extended"), strict=False):
        other = renamed(program, rng)
        assert structural_fingerprint(trace(other)) == structural_fingerprint(trace(program)), write(program)
        assert fingerprint(trace(live_program(program))) == fingerprint(trace(program)), write(program)


SHAPES = ((), (5,), (3, 4), (2, 3, 2, 1))


def run_fresh(program: Program, rng: np.random.Generator, steps: int) -> torch.Tensor:
    """The updates of the interpreter over a few steps on fresh inputs of fresh magnitudes, `[steps, elements]`."""
    interpreter = Interpreter(program)
    size = 10.0 ** rng.uniform(-3, 1.3)
    updates = []
    for _ in range(steps):
        w, g = (
            [torch.as_tensor(rng.standard_normal(shape), dtype=torch.float32) for shape in SHAPES] for _ in range(2)
        )
        update = interpreter.step(w, [leaf * size for leaf in g], float(rng.random()))
        updates.append(torch.cat([leaf.reshape(-1) for leaf in update]))
    return torch.stack(updates)


def test_programs_of_one_fingerprint_give_equal_updates(mutants: Callable[..., Iterator[Program]], scale: int) -> None:
    first: dict[str, Program] = {}
    pairs = 0
    for birth, program in enumerate(mutants(5, "core", length=40)):
        other = first.setdefault(fingerprint(trace(program)), program)
        if other == program or structural_fingerprint(trace(other)) == structural_fingerprint(trace(program)):
            continue
        pairs += 1
        a, b = (run_fresh(each, np.random.default_rng(birth), 6) for each in (other, program))
        close = torch.isclose(a, b, rtol=1e-6, atol=1e-6 * float(a.nan_to_num(0, 0, 0).abs().amax()), equal_nan=True)
        assert close.all(), f"{write(other)}\n{write(program)}"
        if pairs == 120 * scale:
            break
