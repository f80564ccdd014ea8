"""An exported optax file does what its program does, and is an optax optimizer like any other."""

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from germline.programs.export.loading import load_class
from germline.programs.export.names import class_name_for
from germline.programs.export.origin import Origin
from germline.programs.export.verified import ExportMismatch
from germline.programs.optimizer import library, parse
from germline.programs.optimizer.export.draft import draft_of
from germline.programs.optimizer.optax_export import OptaxMissing, export_optax, function_name, verified_optax
from germline.programs.optimizer.optax_export.arguments import optax_arguments
from germline.programs.optimizer.optax_export.source import TOLERANCE
from germline.programs.optimizer.optax_export.verify import (
    MODES,
    TOLERANCES,
    OptaxFile,
    compare_optax,
    compare_options,
    verify_optax,
)
from germline.programs.optimizer.program import Program
from germline.programs.optimizer.space import OptimizerSpace

pytestmark = pytest.mark.xdist_group("optax")  # in one test process, which compiles and compares the library once

NOWHERE = Origin(None, None, "0" * 24, None, None)

MIXED = """
def train(w, g, m, t: leaf, r: row, c: column, b: scalar, lr, step):
  n = global_norm(g)
  b = interp(n, b, 0.9)
  r = interp(row_mean(g), r, 0.7)
  c = c + column_mean(w)
  t = max(leaf_max(g), t)
  m = interp(g, m, 0.8)
  u = (m + r + c) * (dot(m, g) / b) + t
  u = clip(u, 1.5) * power(step, -0.5)
  update = u * cosine_sim(u, g) * (lr * 0.01)
  return update, m, t, r, c, b
"""
"""States of rows, columns, tensors and numbers, a step count, and reductions in the middle."""

WHITENED = """
def train(w, g, m, l: left, r: right, x: readout, lr, step):
  l = interp(matmul(g, transpose(g)), l, 0.9)
  r = interp(matmul(transpose(g), g), r, 0.9)
  u = rotate_back(matmul(matmul(l, inverse_root(l)), g), r)
  m = interp(u, m, 0.9)
  u = m * (lr * 0.01)
  update = u + w * 0.001
  y = w - update
  average = interp(y, x, 0.9)
  x = where(greater(1.5, step), y, average)
  return update, m, l, r, x
"""
"""States of rows times rows and columns times columns, two functions for them, and a read-out."""

CLASHES = """
def train(w, g, count, params, jnp, sum, rule, b1: scalar, lr, step):
  p = interp(g, count, 0.9)
  updates = interp(g, params, 0.8)
  old = jnp * 0.5
  jnp = interp(square(p), jnp, 0.7)
  sum = max(jnp, sum) + old
  lr2 = lr * 0.001
  b1 = b1 * 0.5 + step
  lr = updates * lr
  x = 0.5
  rule = lr + x
  x = rule * b1
  state = x / sum
  learning_rate = state * lr2
  return learning_rate, p, updates, jnp, sum, rule, b1
"""
"""Names of the code around the rule, names given again, and a name that is a number before it is a tree."""

EVERY_FUNCTION = """
def train(w, g, m, lr, step):
  a = sin(g) + cos(g) + tan(g) + arcsin(tanh(g)) + arccos(tanh(g)) + arctan(g) + sinh(g) + cosh(g)
  b = arcsinh(g) + arccosh(1.5 + abs(g)) + arctanh(0.5 * tanh(g)) + exp(g) + exp2(g) + exp10(tanh(g)) + expm1(g)
  c = log(2.0 + abs(g)) + log10(3.0 + abs(g)) + log2(1.5 + abs(g)) + log1p(abs(g)) + square(g) + sqrt(g) + cube(g)
  d = cbrt(g) + sign(g) + reciprocal(2.0 + square(g)) + negative(g) + norm(g) + min(g, w) + max(g, 0.1) + get_pi()
  e = where(greater(g, w), g, w) + modulo(step, 3.0) + leaf_sum(g) + leaf_mean(g) + leaf_max(g) + rank(w) + rows(w)
  f = columns(w) + orthogonalize(g) + rank_one(row_mean(square(g)) + 1.0, column_mean(square(g)) + 1.0) + get_e()
  h = leaf_sum(transpose(g)) * power(abs(g) + 1.0, 1.5) + greater(0.3, 0.2) + modulo(7.0, 4.0) + 1.0 / 3.0
  k = power(2.5, 1.5) + interp(0.1, 0.2, 0.3) + where(0.1, 0.2, 0.4) + max(0.1, 0.7) + reciprocal(0.25) + get_eps()
  m = interp(a + b + c + d + e, m, 0.9)
  update = (m + f + leaf_mean(matmul(g, transpose(g))) + h + k) * (lr * 0.001)
  return update, m
"""
"""Every function of the language but those of `WHITENED`, and functions of numbers alone."""

USES_OF_LR = {
    "lr_unread": "def train(w, g, lr):\n  update = g * 0.1\n  return update\n",
    "lr_twice": "def train(w, g, lr):\n  g = g * lr\n  g = g * lr\n  update = g * 0.1\n  return update\n",
    "lr_cosh": "def train(w, g, lr):\n  c = cosh(lr)\n  g = g * lr * c\n  update = g * 0.1\n  return update\n",
    "lr_negative": "def train(w, g, lr):\n  lr = negative(lr)\n  g = g * 0.1\n  update = g * lr\n  return update\n",
    "lr_state": "def train(w, g, m, lr):\n  m = m + g\n  m = m * lr\n  update = m * 0.1\n  return update, m\n",
}


def random_programs(count: int) -> dict[str, str | Program]:
    """Programs of the library after 1 to 25 random changes."""
    every = [parse(text) for text in library().values()]
    programs: dict[str, str | Program] = {}
    for k in range(count):
        rng = np.random.default_rng([7, k])
        program = every[k % len(every)]
        space = OptimizerSpace(program, "extended")
        for _ in range(int(rng.integers(1, 26))):
            program = space.vary(program, ("insert", "delete", "modify")[rng.integers(3)], rng).genome
        programs[f"random{k}"] = program
    return programs


RANDOM = random_programs(6 * int(os.environ.get("GERMLINE_SCALE", "1")))
COMPARED: dict[str, Any] = {
    **library(),
    "mixed": MIXED,
    "whitened": WHITENED,
    "clashes": CLASHES,
    "every_function": EVERY_FUNCTION,
    **USES_OF_LR,
}
"""Programs that are compared with the interpreter."""
TEXTS: dict[str, Any] = {**COMPARED, **RANDOM}
"""Programs whose files are read."""


def program_of(name: str) -> Program:
    return TEXTS[name] if isinstance(TEXTS[name], Program) else parse(TEXTS[name])


def file_of(name: str, exact: bool = False) -> OptaxFile:
    program, class_name = program_of(name), class_name_for(name)
    return OptaxFile(export_optax(program, NOWHERE, class_name, exact), program, function_name(class_name))


SINGLE, DOUBLE = MODES[1:]
IN_DOUBLE = ("mixed", "whitened", "clashes", "every_function")
"""Programs that are compared in float64 too, which every export is; `FAMILIES` are, with each argument changed."""
FAMILIES = ("adafactor", "adamw", "hypergradient", "lars", "lion_raw", "muon", "stable_spam")
"""A program of each family of generated code."""


@pytest.fixture(scope="module")
def differences() -> dict[str, float]:
    """The difference of every program in float32, from one process."""
    results = compare_optax([file_of(name) for name in COMPARED], [SINGLE])
    return {name: own[SINGLE] for name, own in zip(COMPARED, results, strict=True)}


@pytest.fixture(scope="module")
def double_differences() -> dict[str, float]:
    """The difference of some programs in float64, from one process."""
    results = compare_optax([file_of(name) for name in IN_DOUBLE], [DOUBLE])
    return {name: own[DOUBLE] for name, own in zip(IN_DOUBLE, results, strict=True)}


@pytest.fixture(scope="module")
def jax() -> Iterator[Any]:
    """jax on the CPU, imported by the first test that needs it."""
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    yield pytest.importorskip("jax")


def optimizer_of(name: str) -> Any:
    """The function that the export of a program defines."""
    file = file_of(name)
    return load_class(file.source, file.name)


def tree(jax: Any, seed: int, dtype: str = "float32") -> Any:
    keys = jax.random.split(jax.random.key(seed), 2)
    return {"a": jax.random.normal(keys[0], (3, 4), dtype), "b": [jax.random.normal(keys[1], (5,), dtype)]}


def assert_close(jax: Any, x: Any, y: Any, tolerance: float = 1e-6) -> None:
    assert jax.tree.structure(x) == jax.tree.structure(y)
    for a, b in zip(jax.tree.leaves(x), jax.tree.leaves(y), strict=True):
        assert a.dtype == b.dtype and a.shape == b.shape
        np.testing.assert_allclose(np.asarray(a, float), np.asarray(b, float), rtol=tolerance, atol=tolerance)


@pytest.mark.slow
@pytest.mark.parametrize("name", COMPARED)
def test_every_program_equals_the_interpreter(name: str, differences: dict[str, float]) -> None:
    difference = differences[name]
    if difference > TOLERANCE and name == "stable_spam":
        # An export then has the exact form, because XLA has reordered divisions.
        difference = compare_optax([file_of(name, exact=True)], [SINGLE])[0][SINGLE]
    assert difference <= TOLERANCE


@pytest.mark.slow
@pytest.mark.parametrize("name", IN_DOUBLE)
def test_programs_equal_the_interpreter_in_float64(name: str, double_differences: dict[str, float]) -> None:
    assert double_differences[name] <= TOLERANCES["float64"]


@pytest.mark.slow
def test_each_argument_does_what_its_constants_in_the_program_do() -> None:
    files = [file_of(name) for name in FAMILIES]
    for file, changes in zip(files, compare_options(files), strict=True):
        names = [argument.name for argument in optax_arguments(draft_of(file.program).arguments)]
        assert [change.argument for change in changes] == names
        assert all(change.shows and change.difference <= TOLERANCES["float64"] for change in changes)


@pytest.mark.slow
def test_a_file_that_is_wrong_with_other_arguments_is_refused() -> None:
    file = file_of("lion")
    wrong = file.source.replace("(1 - b2)", "(1 - 0.99)")
    assert wrong != file.source
    with pytest.raises(ExportMismatch, match=r"with b2=0\.74"):
        verify_optax(wrong, file.program, file.name)


@pytest.mark.slow
def test_an_export_is_verified_step_by_step_and_compiled() -> None:
    verified = verified_optax(parse(library()["adamw"]), NOWHERE, "Adamw")
    assert (verified.class_name, verified.tolerance) == ("adamw", TOLERANCE)
    assert 0 < verified.difference <= TOLERANCE


@pytest.mark.slow
def test_a_file_that_differs_from_its_program_or_does_not_run_is_refused() -> None:
    file = file_of("lion")
    wrong = file.source.replace("b2: jax.typing.ArrayLike = 0.99,", "b2: jax.typing.ArrayLike = 0.9901,")
    assert wrong != file.source
    message = r"^expected the same .* of lion and its program to 1e-06, got a difference of .* in float32 \(steps\)$"
    with pytest.raises(ExportMismatch, match=message):
        verify_optax(wrong, file.program, "lion")
    with pytest.raises(ExportMismatch, match=r"^expected the exported file to run under jax, got AttributeError: .*$"):
        verify_optax(file.source.replace("jnp.where", "jnp.there"), file.program, "lion")


@pytest.mark.slow
def test_a_file_of_a_program_that_is_finite_only_without_zeros_is_compared_without() -> None:
    body = "  a = abs(g)\n  c = global_norm(a * reciprocal(a))\n  u = g * c\n  u = u * lr\n  return u\n"
    text = f"def train(w, g, lr):\n{body}"
    source = export_optax(parse(text), NOWHERE, "Exported")
    wrong = source.replace("jnp.asarray(-x,", "jnp.asarray(-5.0 * x,")
    assert wrong != source
    right, wrong = compare_optax([OptaxFile(own, parse(text), "exported") for own in (source, wrong)], [SINGLE])
    assert right[SINGLE] <= TOLERANCE < wrong[SINGLE]


@pytest.mark.parametrize("package", ["jax", "optax"])
def test_without_the_packages_it_says_how_to_get_them(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(OptaxMissing, match=r"pip install 'germline\[optax\]'$"):
        verified_optax(parse(library()["lion"]), NOWHERE, "Lion")


@pytest.mark.slow
def test_neither_the_export_nor_its_verification_imports_jax() -> None:
    code = "import sys, germline.cli.exports.exporters; print([m for m in ('jax', 'optax') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"


@pytest.mark.slow
def test_files_import_jax_and_optax_only() -> None:
    for name in TEXTS:
        nodes = list(ast.walk(ast.parse(file_of(name).source)))
        imported = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
        imported |= {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}
        assert imported == {"typing", "jax", "jax.numpy", "optax"}, name


@pytest.mark.slow
def test_files_pass_the_linter_and_the_formatter(tmp_path: Path) -> None:
    long = re.sub(r"\bu\b", "the_update_before_it_is_clipped", MIXED)
    programs = {**{name: program_of(name) for name in TEXTS}, "long": parse(long)}
    for name, program in programs.items():
        for exact in (False, True):
            source = export_optax(program, NOWHERE, class_name_for(name), exact)
            (tmp_path / f"{name}_{exact}.py").write_text(source, encoding="utf-8")
    for command in (["check"], ["format", "--check"]):
        ruff = [sys.executable, "-m", "ruff", *command, "--isolated", "--no-cache", str(tmp_path)]
        result = subprocess.run(ruff, capture_output=True, text=True, timeout=60)
        assert result.returncode == 0, result.stdout[-2000:] + result.stderr[-2000:]


def test_lion_is_as_short_as_a_person_would_write_it() -> None:
    lines = file_of("lion").source.split("        def rule(g, m):\n")[1].splitlines()
    assert lines[:6] == [
        "            blend = b1 * m + (1 - b1) * g",
        "            m = b2 * m + (1 - b2) * g",
        "            return -_sign(blend) * lr, m",
        "",
        "        updates, *states = _map(rule, updates, (), state[1:])",
        "        return updates, LionState(count, *states)",
    ]


@pytest.mark.parametrize(
    ("class_name", "name"),
    [("AdamwPlain", "adamw_plain"), ("MyRun12", "my_run12"), ("RMSProp", "rms_prop"), ("Jax", "jax_optimizer"),
     ("Lambda", "lambda_optimizer"), ("sgd", "sgd"), ("Sum", "sum_optimizer")],
)  # fmt: skip
def test_functions_are_named_like_the_class(class_name: str, name: str) -> None:
    assert function_name(class_name) == name
    assert f"def {name}(\n" in export_optax(parse(library()["lion"]), NOWHERE, class_name)


def test_arguments_have_the_names_of_optax() -> None:
    def arguments(name: str) -> list[str]:
        function = next(
            node for node in ast.parse(file_of(name).source).body
            if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")
        )  # fmt: skip
        return [argument.arg for argument in function.args.args]

    assert arguments("adamw") == ["learning_rate", "b1", "b2", "eps", "weight_decay"]
    assert arguments("rmsprop") == ["learning_rate", "decay", "eps"]
    assert arguments("sgd_momentum") == ["learning_rate", "momentum"]
    assert arguments("muon")[:4] == ["learning_rate", "b1", "b2", "momentum"]
    assert arguments("lion_raw") == ["learning_rate", "b1", "eps", "weight_decay", "b2"]
    assert arguments("adafactor") == ["learning_rate", "beta2_decay", "min_scale"]


def test_text_of_the_origin_cannot_leave_the_docstring() -> None:
    hostile = '"""\nimport os\n\\'
    origin = Origin(hostile, 3, hostile, 0.5, hostile)
    source = export_optax(parse(library()["lion"]), origin, "Lion")
    plain = export_optax(parse(library()["lion"]), Origin("run", 3, "0", 0.5, "task"), "Lion")
    assert "    Birth: 3\n" in source
    bodies = [[type(node).__name__ for node in ast.walk(ast.parse(text))] for text in (source, plain)]
    assert bodies[0] == bodies[1]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["adamw", "mixed"])
def test_steps_compile_scan_batch_and_branch(name: str, jax: Any) -> None:
    import optax

    optimizer = optax.chain(optax.clip_by_global_norm(1.0), optimizer_of(name)())
    params, grads = tree(jax, 0), tree(jax, 1)

    def step(carry: Any, _: Any) -> Any:
        updates, state = optimizer.update(grads, carry[1], carry[0])
        return (optax.apply_updates(carry[0], updates), state), None

    start = (params, optimizer.init(params))
    by_hand = step(step(start, None)[0], None)[0]
    scanned, _ = jax.jit(lambda carry: jax.lax.scan(step, carry, length=2))(start)
    assert_close(jax, scanned, by_hand)
    branched = jax.lax.cond(True, lambda: step(start, None)[0], lambda: start)
    assert_close(jax, jax.lax.cond(False, lambda: start, lambda: step(branched, None)[0]), by_hand)
    both = jax.tree.map(lambda x: jax.numpy.stack([x, x]), start)
    batched = jax.vmap(lambda carry: jax.lax.scan(step, carry, length=2)[0])(both)
    assert_close(jax, jax.tree.map(lambda x: x[1], batched), by_hand)


@pytest.mark.slow
def test_wrappers_of_optax_work(jax: Any) -> None:
    import optax

    adamw, params, grads = optimizer_of("adamw"), tree(jax, 0), tree(jax, 1)
    alone, _ = adamw(0.1).update(grads, adamw(0.1).init(params), params)
    mask = {"a": True, "b": [False]}
    masked = optax.masked(adamw(0.1), mask)
    updates, _ = masked.update(grads, masked.init(params), params)
    assert_close(jax, updates, {"a": alone["a"], "b": grads["b"]})
    parts = optax.multi_transform({"x": adamw(0.1), "y": optimizer_of("lion")(0.5)}, {"a": "x", "b": ["y"]})
    updates, _ = jax.jit(parts.update)(grads, parts.init(params), params)
    assert_close(jax, updates, {"a": alone["a"], "b": [-0.5 * jax.numpy.sign(grads["b"][0])]})
    injected = optax.inject_hyperparams(adamw)(learning_rate=lambda count: 0.1 / (1 + count), b1=0.9)
    state = injected.init(params)
    updates, state = jax.jit(injected.update)(grads, state, params)
    assert_close(jax, updates, alone)
    assert state.hyperparams["b2"] == np.float32(0.999)
    safe = optax.apply_if_finite(adamw(0.1), 3)
    updates, _ = safe.update(grads, safe.init(params), params)
    assert_close(jax, updates, alone)
    every_second = optax.MultiSteps(adamw(0.1), 2)
    updates, _ = every_second.update(grads, every_second.init(params), params)
    assert_close(jax, updates, jax.tree.map(jax.numpy.zeros_like, grads))
    marked = optax.tree_map_params(adamw(0.1), lambda x: "state", adamw(0.1).init(params))
    assert marked.m == {"a": "state", "b": ["state"]} and marked.count == 0


@pytest.mark.slow
def test_a_schedule_gets_the_count_of_the_state(jax: Any) -> None:
    scheduled, constant = optimizer_of("lion")(lambda count: 0.1 * 2.0**count), optimizer_of("lion")(0.1)
    params, grads = tree(jax, 0), tree(jax, 1)
    state, ratios = scheduled.init(params), []
    base, _ = constant.update(grads, constant.init(params))
    for _ in range(3):
        updates, state = scheduled.update(grads, state)
        ratios.append(float((updates["a"] / base["a"]).mean()))
    assert ratios == pytest.approx([1.0, 2.0, 4.0])
    assert state.count == 3 and state.count.dtype == "int32"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["adamw", "mixed", "adafactor"])
def test_half_precision_is_computed_in_float32_and_its_states_are_kept_in_it(name: str, jax: Any) -> None:
    optimizer, params, grads = optimizer_of(name)(), tree(jax, 0, "bfloat16"), tree(jax, 1, "bfloat16")
    state = optimizer.init(params)
    updates, after = jax.jit(optimizer.update)(grads, state, params)
    assert {leaf.dtype.name for leaf in jax.tree.leaves(updates)} == {"bfloat16"}
    assert {leaf.dtype.name for leaf in jax.tree.leaves((state[1:], after[1:]))} == {"float32"}
    wide = jax.tree.map(lambda x: x.astype("float32"), (grads, params))
    expected, expected_state = jax.jit(optimizer.update)(wide[0], optimizer.init(wide[1]), wide[1])
    assert_close(jax, updates, jax.tree.map(lambda x: x.astype("bfloat16"), expected))
    assert_close(jax, after, expected_state)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["adamw", "mixed"])
def test_float32_stays_float32_when_float64_is_enabled(name: str, jax: Any) -> None:
    with jax.enable_x64(True):
        params, grads = tree(jax, 0), tree(jax, 1)
        optimizer = optimizer_of(name)(lambda count: jax.numpy.float64(0.1))
        updates, state = optimizer.update(grads, optimizer.init(params), params)
        assert {leaf.dtype.name for leaf in jax.tree.leaves((updates, state[1:]))} == {"float32"}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["adamw", "mixed", "stable_spam"])
def test_a_parameter_without_a_gradient_keeps_its_states(name: str, jax: Any) -> None:
    optimizer, params, grads = optimizer_of(name)(), tree(jax, 0), tree(jax, 1)
    state = optimizer.init(params)
    updates, after = optimizer.update({"a": None, "b": grads["b"]}, state, params)
    assert updates["a"] is None
    assert jax.tree.structure(after) == jax.tree.structure(state)
    for before, then in zip(state[1:], after[1:], strict=True):
        assert not isinstance(before, dict) or np.array_equal(before["a"], then["a"])
    alone, _ = optimizer.update({"b": grads["b"]}, optimizer.init({"b": params["b"]}), {"b": params["b"]})
    assert_close(jax, updates["b"], alone["b"])
    updates, _ = optimizer.update({"a": None}, optimizer.init({"a": None}), {"a": None})
    assert updates == {"a": None}
    assert optimizer.update({}, optimizer.init({}), {})[0] == {}


@pytest.mark.slow
def test_params_are_needed_only_where_the_rule_reads_them_and_complex_ones_are_refused(jax: Any) -> None:
    params = tree(jax, 0)
    adamw, lion = optimizer_of("adamw")(), optimizer_of("lion")()
    lion.update(params, lion.init(params))
    with pytest.raises(ValueError, match=r"^adamw reads the parameters; pass params to update$"):
        adamw.update(params, adamw.init(params))
    with pytest.raises(TypeError, match=r"optax.contrib.split_real_and_imaginary$"):
        lion.init({"a": jax.numpy.ones(3, "complex64")})


@pytest.mark.slow
def test_sign_of_nan_is_zero_as_in_the_interpreter(jax: Any) -> None:
    lion = optimizer_of("lion")()
    grads = {"a": jax.numpy.array([float("nan"), 2.0])}
    updates, state = lion.update(grads, lion.init(grads))
    assert updates["a"].tolist() == pytest.approx([0.0, -1e-4])
    assert np.isnan(state.m["a"]).tolist() == [True, False]
