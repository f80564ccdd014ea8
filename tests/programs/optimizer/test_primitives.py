"""Every function of the language: its meaning on numbers, and the batched form against the reference."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch

from germline.programs.optimizer import parse, trace
from germline.programs.optimizer.flat import FlatProgram, Layout
from germline.programs.optimizer.interpret import Interpreter
from germline.programs.optimizer.primitives import CORE, EXTENDED, PRIMITIVES, WHITENING

PAPER = {
    "constants": ("get_pi", "get_e", "get_eps"),
    "circular": ("cos", "sin", "tan", "arcsin", "arccos", "arctan"),
    "hyperbolic": ("sinh", "cosh", "tanh", "arcsinh", "arccosh", "arctanh"),
    "powers": ("exp", "exp2", "exp10", "expm1", "log", "log10", "log2", "log1p", "square", "sqrt", "cube", "cbrt"),
    "other unary": ("abs", "sign", "reciprocal", "invert", "negative", "norm", "global_norm"),
    "binary": ("dot", "cosine_sim", "clip", "power", "+", "-", "*", "/", "max", "min"),
    "ternary": ("interp",),
}
"""The 45 functions of Chen et al. 2023."""

LAYOUT = Layout(((), (3,), (4, 3), (2, 5), (3, 2, 1, 2)))
ROWS = 3
NUMBERS = (-40.0, -2.5, -1.0, -0.3, 0.0, 1e-5, 0.4, 1.0, 1.5, 3.0, 7.0)

MEANING: dict[str, Callable[..., float]] = {
    "get_pi": lambda: math.pi,
    "get_e": lambda: math.e,
    "get_eps": lambda: 1e-8,
    "abs": abs,
    "cos": math.cos,
    "sin": math.sin,
    "tan": math.tan,
    "arcsin": math.asin,
    "arccos": math.acos,
    "arctan": math.atan,
    "sinh": math.sinh,
    "cosh": math.cosh,
    "tanh": math.tanh,
    "arcsinh": math.asinh,
    "arccosh": math.acosh,
    "arctanh": lambda x: math.copysign(math.inf, x) if abs(x) == 1 else math.atanh(x),
    "exp": math.exp,
    "exp2": lambda x: 2.0**x,
    "exp10": lambda x: 10.0**x,
    "expm1": math.expm1,
    "log": lambda x: math.log(abs(x)) if x else -math.inf,
    "log10": lambda x: math.log10(abs(x)) if x else -math.inf,
    "log2": lambda x: math.log2(abs(x)) if x else -math.inf,
    "log1p": lambda x: math.log(abs(1 + x)) if x != -1 else -math.inf,
    "square": lambda x: x * x,
    "sqrt": lambda x: math.sqrt(abs(x)),
    "cube": lambda x: x * x * x,
    "cbrt": math.cbrt,
    "sign": lambda x: float((x > 0) - (x < 0)),
    "reciprocal": lambda x: 1 / x if x else math.inf,
    "negative": lambda x: -x,
    "power": lambda x, y: real(x, y),
    "interp": lambda x, y, a: (1 - a) * x + a * y,
    "+": lambda x, y: x + y,
    "-": lambda x, y: x - y,
    "*": lambda x, y: x * y,
    "/": lambda x, y: x / (y + 1e-8),
    "max": max,
    "min": min,
    "greater": lambda x, y: float(x > y),
    "where": lambda c, x, y: x if c > 0 else y,
    "modulo": lambda x, y: x % y if y else math.nan,
}


def real(x: float, y: float) -> float:
    if x == 0 and y < 0:
        return math.inf
    return math.nan if x < 0 and y != int(y) else x**y


def call(name: str, args: list[str]) -> str:
    return f"{args[0]} {name} {args[1]}" if PRIMITIVES[name].operator else f"{name}({', '.join(args)})"


def test_the_core_is_exactly_the_paper() -> None:
    assert len(CORE) == 45
    assert sorted(CORE) == sorted(name for group in PAPER.values() for name in group)
    assert set(CORE) < set(EXTENDED) < set(WHITENING)


def test_every_elementwise_function_is_covered() -> None:
    scopes = {name: PRIMITIVES[name].scope for name in WHITENING}
    assert set(MEANING) == {name for name in WHITENING if scopes[name] in ("constant", "elementwise")} - {"invert"}


@pytest.mark.parametrize("name", sorted(MEANING))
def test_a_function_has_its_mathematical_meaning_on_numbers(name: str) -> None:
    arity = PRIMITIVES[name].arity
    names = ["w", "g", "m"][:arity]
    program = parse(f"def train(w, g, m, lr):\n  update = w\n  m = {call(name, names)} + 0.0 * w\n  return m, g\n")
    rng = np.random.default_rng(3)
    for _ in range(60):
        numbers = [float(rng.choice(NUMBERS)) for _ in range(3)]
        tensors = [torch.tensor([number], dtype=torch.float64) for number in numbers]
        interpreter = Interpreter(program, {"m": [tensors[2]]})
        got = interpreter.step(tensors[:1], tensors[1:2])[0].item()
        try:
            expected = MEANING[name](*numbers[:arity])
        except (ValueError, OverflowError):
            expected = math.nan
        assert got == pytest.approx(expected, rel=1e-12, abs=1e-15, nan_ok=True), numbers


FORMS = ("w", "g", "lr", "0.7", "norm(g)", "global_norm(w)")
"""A tree, a scalar, a literal, a scalar per leaf, and a scalar that differs between rows."""
MATRIX_ARGS = {
    "rank_one": ["row_mean(w)", "column_mean(g)"],
    "matmul": ["w", "transpose(g)"],
    "inverse_root": ["matmul(w, transpose(w))"],
    "eigenbasis": ["matmul(w, transpose(w))", "0.0 * matmul(g, transpose(g))"],
    "rotate_back": ["w", "matmul(transpose(g), g)"],
}


def cases() -> list[tuple[str, str]]:
    rng = np.random.default_rng(1)
    expressions = []
    for name in WHITENING:
        if name == "invert":
            continue
        for _ in range(8):
            args = MATRIX_ARGS.get(name) or [str(rng.choice(FORMS)) for _ in range(PRIMITIVES[name].arity)]
            if PRIMITIVES[name].scope in ("leaf", "tree") and name not in MATRIX_ARGS:
                args = ["w", "g"][: PRIMITIVES[name].arity] if name != "clip" else ["g", str(rng.choice(FORMS[2:4]))]
            expressions.append((name, call(name, args)))
    return sorted(set(expressions))


@pytest.mark.parametrize(("name", "expression"), cases())
def test_rows_in_numpy_equal_the_reference_interpreter(name: str, expression: str) -> None:
    fold = {"row_mean": "x * w", "column_mean": "x * w", "transpose": "w * norm(x)", "matmul": "matmul(x, w)"}
    fold |= dict.fromkeys(("inverse_root", "eigenbasis"), "matmul(x, g)")
    use = fold.get(name, "x * w")
    program = parse(f"def train(w, g, lr):\n  x = {expression}\n  update = {use}\n  return update\n")
    graph = trace(program)
    flat = FlatProgram(graph, LAYOUT, np, LAYOUT.leaf_of)
    rng = np.random.default_rng(2)
    w, g = (rng.standard_normal((ROWS, LAYOUT.elements)) for _ in range(2))
    rate = np.full((1, 1), 0.3)
    literals = [np.full((1, 1), graph.nodes[i].literal) for i in flat.literals]
    with np.errstate(all="ignore"):
        update, _ = flat.run({"w": w, "g": g, "lr": rate}, literals)
    for row in range(ROWS):
        leaves = ([leaf[row] for leaf in LAYOUT.split(torch.as_tensor(x))] for x in (w, g))
        expected = torch.cat([leaf.reshape(-1) for leaf in Interpreter(program).step(*leaves, 0.3)])
        np.testing.assert_allclose(update[row], expected.numpy(), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("row_mean", [1.0, -2.0, 4.0]),
        ("column_mean", [1.0, -2.0, 4.0]),
        ("rank_one", [1.0, -2.0, 4.0]),
        ("matmul", [3.0, -10.0, 28.0]),
        ("transpose", [1.0, -2.0, 4.0]),
        ("orthogonalize", [1.0, -2.0, 4.0]),
        ("inverse_root", pytest.approx([1.0, 2.0**-0.5, 0.5])),
        ("eigenbasis", [1.0, 1.0, 1.0]),
        ("rotate_back", [3.0, -10.0, 28.0]),
        ("rank", 1.0),
        ("rows", 1.0),
        ("columns", 1.0),
    ],
)
def test_matrix_functions_of_a_vector_have_their_stated_meaning(name: str, expected: object) -> None:
    vectors = [torch.tensor([[1.0, -2.0, 4.0]]), torch.tensor([[3.0, 5.0, 7.0]])]
    assert PRIMITIVES[name].run(torch, *vectors[: PRIMITIVES[name].arity])[0].tolist() == expected


def test_matrix_functions_treat_a_kernel_as_a_matrix_of_its_first_axis_by_all_others() -> None:
    kernel = torch.arange(24.0).reshape(1, 2, 3, 2, 2)
    matrix = kernel.reshape(2, 12)
    run = {name: PRIMITIVES[name].run for name in WHITENING}
    assert torch.equal(run["row_mean"](torch, kernel).flatten(), matrix.mean(1))
    assert torch.equal(run["column_mean"](torch, kernel).flatten(), matrix.mean(0))
    assert torch.equal(run["transpose"](torch, kernel)[0], matrix.T)
    assert torch.equal(
        run["matmul"](torch, run["transpose"](torch, kernel), kernel)[0].reshape(12, 12), matrix.T @ matrix
    )
    assert [run[name](torch, kernel).item() for name in ("rank", "rows", "columns")] == [4, 2, 12]


def test_orthogonalize_brings_every_singular_value_near_one() -> None:
    rng = torch.Generator().manual_seed(0)
    program = parse("def train(w, g, lr):\n  update = orthogonalize(g)\n  return update\n")
    for shape in ((6, 3), (3, 6), (4, 4), (5, 2, 3, 3)):
        g = torch.randn(shape, generator=rng, dtype=torch.float64)
        update = Interpreter(program).step([g], [g])[0]
        assert update.shape == g.shape
        values = torch.linalg.svdvals(update.reshape(shape[0], -1))
        assert values.min() > 0.3 and values.max() < 1.3


def test_inverse_root_is_the_power_of_a_symmetric_matrix() -> None:
    rng = torch.Generator().manual_seed(0)
    for shape in ((6, 3), (3, 6), (4, 4), (5, 2, 3, 3)):
        x = torch.randn((2, *shape), generator=rng, dtype=torch.float64)
        matrix = x.flatten(2)
        products = matrix @ matrix.mT
        got = PRIMITIVES["inverse_root"].run(torch, products)
        size = torch.linalg.matrix_norm(products)[:, None, None]
        values, vectors = torch.linalg.eigh(products + 1e-6 * size * torch.eye(shape[0]))
        torch.testing.assert_close(got, vectors / values.sqrt()[:, None] @ vectors.mT, rtol=1e-8, atol=1e-8)


def test_inverse_root_takes_the_products_of_the_columns_of_a_kernel() -> None:
    kernel = torch.randn(1, 2, 3, 2, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    matmul, transpose = (PRIMITIVES[name].run for name in ("matmul", "transpose"))
    right = matmul(torch, transpose(torch, kernel), kernel)
    assert right.shape == (1, 12, 3, 2, 2)
    whitened = matmul(torch, kernel, PRIMITIVES["inverse_root"].run(torch, right))
    values = torch.linalg.svdvals(whitened.reshape(2, 12))
    torch.testing.assert_close(values, torch.ones_like(values), rtol=1e-4, atol=1e-4)


def test_a_zero_matrix_has_a_finite_inverse_root() -> None:
    root = PRIMITIVES["inverse_root"].run(torch, torch.zeros(1, 3, 3))
    assert torch.isfinite(root).all()
    assert not (root @ torch.zeros(1, 3, 2)).any()


def test_steps_of_eigenbasis_lead_from_zero_to_the_eigenvectors() -> None:
    rng = torch.Generator().manual_seed(0)
    x = torch.linalg.qr(torch.randn(1, 5, 5, generator=rng, dtype=torch.float64))[0]
    matrix = x @ torch.diag(torch.tensor([9.0, 5.0, 3.0, 1.0, 0.0], dtype=torch.float64)) @ x.mT
    basis = torch.zeros_like(matrix)
    for _ in range(60):
        basis = PRIMITIVES["eigenbasis"].run(torch, matrix, basis)
        torch.testing.assert_close(basis.mT @ basis, torch.eye(5, dtype=torch.float64)[None])
    turned = basis.mT @ matrix @ basis
    torch.testing.assert_close(turned.diagonal(dim1=-2, dim2=-1), turned.new_tensor([[9.0, 5.0, 3.0, 1.0, 0.0]]))


def test_rotate_back_undoes_a_rotation_and_keeps_the_axes_of_a_kernel() -> None:
    rng = torch.Generator().manual_seed(0)
    kernel = torch.randn(1, 4, 3, 2, 2, generator=rng, dtype=torch.float64)
    matmul, transpose = (PRIMITIVES[name].run for name in ("matmul", "transpose"))
    right = matmul(torch, transpose(torch, kernel), kernel)
    basis = PRIMITIVES["eigenbasis"].run(torch, right, torch.zeros_like(right))
    assert basis.shape == (1, 12, 3, 2, 2)
    rotated = matmul(torch, kernel, basis)
    torch.testing.assert_close(PRIMITIVES["rotate_back"].run(torch, rotated, basis), kernel)


def test_sets_of_functions_stay_as_searches_have_drawn_from_them() -> None:
    assert EXTENDED[len(CORE) :] == (
        *("greater", "where", "modulo", "leaf_max", "leaf_mean", "leaf_sum", "rank", "rows", "columns"),
        *("row_mean", "column_mean", "rank_one", "matmul", "transpose", "orthogonalize"),
    )
    assert WHITENING[len(EXTENDED) :] == ("inverse_root", "eigenbasis", "rotate_back")
    assert EXTENDED[: len(CORE)] == CORE and WHITENING[: len(EXTENDED)] == EXTENDED


def test_whitening_does_not_depend_on_the_unit() -> None:
    rng = torch.Generator().manual_seed(0)
    x = torch.randn(1, 6, 3, generator=rng)
    products = x @ x.mT
    root = PRIMITIVES["inverse_root"].run(torch, products)
    for unit in (1e-14, 1e-6, 1e6, 1e14):
        scaled = PRIMITIVES["inverse_root"].run(torch, products * unit**2)
        torch.testing.assert_close(scaled * unit, root, rtol=1e-2, atol=1e-2 * float(root.abs().max()))
