"""The functions of the compiled engine: each as exact as a float32 can be, for every argument."""

import numpy as np
import pytest
from numba import njit

from germline.evaluators.optimizer.engine import interpreter

RNG = np.random.default_rng(0)
SPECIAL = [0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan, 1e-45, -1e-45, 1e-38, 3.4e38, -3.4e38, 0.5, 2.0]
EDGES = [88.7, 89.0, -87.3, -103.0, -104.0, 1e5, 1e6, 1e7, 1e10, 1e20, np.pi, np.pi / 2, 0.01, 0.0099999]
NUMBERS = np.concatenate(
    [
        np.array([*SPECIAL, *EDGES]),
        RNG.standard_normal(20_000),
        10.0 ** RNG.uniform(-40, 38, 20_000) * RNG.choice([-1, 1], 20_000),
        RNG.uniform(-1, 1, 10_000),
        1 + RNG.uniform(-1e-3, 1e-3, 5_000),
        RNG.uniform(-100, 100, 10_000),
    ]
).astype(np.float32)

UNARY = ["negative", "reciprocal", "sqrt", "exp", "exp2", "expm1", "log", "log2", "log10", "sin", "cos", "tan"]
UNARY += ["arcsin", "arccos", "arctan", "sinh", "cosh", "tanh", "arcsinh", "arccosh", "arctanh"]
LOOPS = {name: getattr(interpreter, f"each_{name}") for name in UNARY}


@njit
def unary(loop, memory, count):  # type: ignore[no-untyped-def]
    """In pieces, because one large argument sends its whole piece the slow way."""
    for first in range(0, count, 64):
        n = np.uint64(min(64, count - first))
        loop(memory, np.uint64(count + first), np.uint64(first), n)


@njit
def binary(loop, memory, mode, count):  # type: ignore[no-untyped-def]
    n = np.uint64(count)
    loop(memory, mode, n + n, np.uint64(0), n, n)


def ulps(found: np.ndarray, exact: np.ndarray) -> np.ndarray:
    """The distance in units of the last place; NaN is at no distance from NaN."""
    same = (found == exact) | (np.isnan(found) & np.isnan(exact))
    with np.errstate(all="ignore"):
        distance = np.abs(found.astype(np.float64) - exact) / np.spacing(np.abs(exact))
    return np.where(same, 0.0, np.nan_to_num(distance, nan=np.inf))


@pytest.mark.slow
@pytest.mark.parametrize("name", UNARY)
def test_a_function_of_one_number_is_rounded_once(name: str) -> None:
    count = len(NUMBERS)
    memory = np.concatenate([NUMBERS, np.zeros_like(NUMBERS)])
    unary(LOOPS[name], memory, count)
    with np.errstate(all="ignore"):
        exact = getattr(np, name)(NUMBERS.astype(np.longdouble)).astype(np.float32)
    off = ulps(memory[count:], exact)
    assert off.max() <= 1
    assert (off > 0).mean() < 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("name", ["power", "maximum", "minimum", "remainder"])
def test_a_function_of_two_numbers_is_rounded_once(name: str) -> None:
    special = np.array([*SPECIAL, 3.0, -3.0, -0.5, 2.0**24, 2.0**25 + 4], np.float32)
    wholes = np.round(RNG.uniform(-9, 9, 10_000)).astype(np.float32)
    x = np.concatenate([np.repeat(special, len(special)), NUMBERS[:30_000]])
    y = np.concatenate([np.tile(special, len(special)), NUMBERS[-20_000:], wholes])
    memory = np.concatenate([x, y, np.zeros_like(x)])
    binary(getattr(interpreter, f"each_{name}"), memory, 0, len(x))
    with np.errstate(all="ignore"):
        exact = getattr(np, name)(x.astype(np.longdouble), y.astype(np.longdouble)).astype(np.float32)
    off = ulps(memory[2 * len(x) :], exact)
    assert off.max() <= 1
    assert (off > 0).mean() < 1e-4


@pytest.mark.slow
def test_the_sign_of_nan_is_zero_as_in_torch() -> None:
    memory = np.array([3.0, -2.0, 0.0, np.nan, 9, 9, 9, 9], np.float32)
    unary(interpreter.each_sign, memory, 4)
    assert memory[4:].tolist() == [1, -1, 0, 0]


@pytest.mark.slow
def test_zeros_keep_their_signs() -> None:
    """0.0 and -0.0 are equal, and their reciprocals are not."""
    x, y = np.array([-0.0, 0.0, -6.0, 6.0], np.float32), np.array([3.0, -3.0, 3.0, -3.0], np.float32)
    memory = np.concatenate([x, y, np.ones(4, np.float32)])
    binary(interpreter.each_remainder, memory, 0, 4)
    assert np.signbit(memory[8:]).tolist() == [True, False, True, False]
    for name in ("sin", "tan", "arcsin", "arctan", "sinh", "tanh", "arcsinh", "arctanh", "expm1"):
        memory = np.array([-0.0, 0.0, 1, 1], np.float32)
        unary(LOOPS[name], memory, 2)
        assert np.signbit(memory[2:]).tolist() == [True, False]


def test_the_key_of_the_compilers_cache_contains_its_constants() -> None:
    """Renumbered instructions must not find the code of the old ones, which lies on disk."""
    keys = set()
    for numbering in (1, 2):
        function = interpreter._declared(numbering)
        signature = interpreter.run_rows.signatures[0] if interpreter.run_rows.signatures else ()
        keys.add(function._cache._index_key(signature, interpreter.run_rows.targetctx.codegen()))
    assert len(keys) == 2
