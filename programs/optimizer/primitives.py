"""The functions of the language, each declared once: name, arity, type rule, implementation and exported source.

Core functions are the 45 of "Symbolic Discovery of Optimization Algorithms" (Chen et al. 2023); with the extended
functions a program can express LAMB, Adafactor, Muon and similar optimizers. An implementation uses an array library
`xp`, which is numpy for the fingerprint, torch for the interpreters, and symbols for the compiled engines. Every
operation that rounds is a function of `xp` or an operator. The scope of a function decides which arrays it takes, where
`rows` is the number of candidates, or of sets of inputs, that are computed at once:

- a constant takes none, not even `xp`, and returns a Python number;
- an elementwise function takes arrays that broadcast;
- a function per leaf takes arrays `[rows, *leaf]` and returns `[rows, *result]`, perhaps of another shape;
- a function of whole trees takes them flattened, `[rows, elements]`, and scalars as `[rows, 1]`.

Matrix functions treat a leaf as a matrix of its first axis by all others; their meaning below rank 2 is stated where
they are declared.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from germline.programs.optimizer.types import (
    LEAF,
    SCALAR,
    Shape,
    Type,
    TypeMismatch,
    broadcast,
    broadcast_shapes,
    by_leaf,
    column_shape,
    columns,
    row_shape,
)

Scope = Literal["constant", "elementwise", "leaf", "tree"]
TypeRule = Callable[[tuple[Type, ...]], Type]
"""Returns the result type for the types of the arguments, or raises TypeMismatch."""


@dataclass(frozen=True)
class Primitive:
    """One function of the language.

    Attributes:
        name: as written in programs.
        arity: the number of arguments.
        scope: which arrays the implementation takes, see the head of this file.
        rule: its type rule.
        run: the implementation, a function of `xp` and the arrays; for a constant, a function without arguments.
        source: its exported source, in which `{0}` is the first argument; names with a leading underscore are helpers.
        core: True for the functions of the paper.
        whitening: True for functions that only the largest set has.
        commutative: True if a fingerprint may sort its arguments.
        jumps: True if it selects or clips, so that its result can hide a difference between its arguments.
        of_shape: True if its result depends on the shape of a leaf alone.
    """

    name: str
    arity: int
    scope: Scope
    rule: TypeRule
    run: Callable[..., Any]
    source: str
    core: bool = True
    whitening: bool = False
    commutative: bool = False
    jumps: bool = False
    of_shape: bool = False

    @property
    def operator(self) -> bool:
        """True for + - * and /."""
        return self.name in ("+", "-", "*", "/")


def _check_trees(types: tuple[Type, ...]) -> None:
    for argument in types:
        if argument.shapes is None:
            raise TypeMismatch("expected a tree, got a scalar")


def _per_leaf(shape: Callable[..., Shape]) -> TypeRule:
    """The type rule of a function per leaf. `shape` returns the shape of its result at a leaf, from the shapes of its
    arguments at that leaf, or raises TypeMismatch."""

    def rule(types: tuple[Type, ...]) -> Type:
        _check_trees(types)
        return by_leaf(shape, types)

    return rule


def _to_leaf(types: tuple[Type, ...]) -> Type:
    _check_trees(types)
    return LEAF


def _to_scalar(types: tuple[Type, ...]) -> Type:
    _check_trees(types)
    if any(argument != types[0] for argument in types):
        raise TypeMismatch(f"expected two trees of the same shapes, got {types[0]} and {types[1]}")
    return SCALAR


def _clip_type(types: tuple[Type, ...]) -> Type:
    _check_trees(types[:1])
    if types[1] != SCALAR:
        raise TypeMismatch(f"expected a scalar as the second argument, got {types[1]}")
    return types[0]


def _no_type(types: tuple[Type, ...]) -> Type:
    raise TypeMismatch("expected integers (it inverts bits), got floating-point numbers; use negative or reciprocal")


def _matmul_shape(a: Shape, b: Shape) -> Shape:
    if len(a) < 2 and len(b) < 2:
        return broadcast_shapes(a, b)
    if len(a) < 2 or len(b) < 2 or columns(a) != b[0]:
        raise TypeMismatch(f"expected as many columns of the first as rows of the second, got {a} and {b}")
    return (a[0], *b[1:])


def _square_shape(shape: Shape) -> Shape:
    if len(shape) > 1 and shape[0] != columns(shape):
        raise TypeMismatch(f"expected as many columns as rows, such as matmul(x, transpose(x)) has, got {shape}")
    return shape


def _basis_shape(x: Shape, q: Shape) -> Shape:
    if q != x:
        raise TypeMismatch(f"expected a basis of the same shape as the matrix, got {x} and {q}")
    return _square_shape(x)


def _rotate_back_shape(x: Shape, q: Shape) -> Shape:
    if len(x) > 1 and len(q) > 1 and columns(x) == q[0] and q == _square_shape(q):
        return x
    if len(x) > 1 or len(q) > 1:
        raise TypeMismatch(f"expected a square matrix with as many rows as the first has columns, got {x} and {q}")
    return _matmul_shape(x, q)


def _rank_one_shape(row: Shape, column: Shape) -> Shape:
    if len(row) < 2:
        return row
    if row_shape(row) != row or column_shape(column) != column or len(row) != len(column):
        raise TypeMismatch(f"expected row means and column means, got {row} and {column}")
    return (row[0], *column[1:])


def _flat(x: Any) -> Any:
    """`[rows, *leaf]` as `[rows, elements]`."""
    return x.reshape(x.shape[0], -1)


def _total(xp: Any, x: Any) -> Any:
    """The sum of `[rows, elements]` as `[rows, 1]`."""
    return xp.sum(x, -1)[..., None]


def _norm(xp: Any, x: Any) -> Any:
    return xp.sqrt(_total(xp, x * x))


def _clip(xp: Any, x: Any, limit: Any) -> Any:
    return x * xp.clip(limit / _norm(xp, x), None, 1.0)


def _matrix(x: Any) -> Any:
    """`[rows, *leaf]` as matrices `[rows, first axis, other axes]`."""
    return x.reshape(x.shape[0], x.shape[1], -1)


def _row_mean(xp: Any, x: Any) -> Any:
    return _matrix(x).mean(-1).reshape(x.shape[:2] + (1,) * (x.ndim - 2)) if x.ndim > 2 else x


def _column_mean(xp: Any, x: Any) -> Any:
    return x.mean(1)[:, None] if x.ndim > 2 else x


def _rank_one(xp: Any, row: Any, column: Any) -> Any:
    return row * column / row.mean(1)[:, None] if row.ndim > 2 else row


def _matmul(xp: Any, a: Any, b: Any) -> Any:
    if a.ndim < 3:
        return a * b
    return xp.matmul(_matrix(a), _matrix(b)).reshape(a.shape[:2] + b.shape[2:])


def _transpose(xp: Any, x: Any) -> Any:
    return xp.swapaxes(_matrix(x), 1, 2) if x.ndim > 2 else x


def _orthogonalize(xp: Any, x: Any) -> Any:
    """Five Newton-Schulz steps towards the nearest semi-orthogonal matrix, with Muon's coefficients."""
    if x.ndim < 3:
        return x
    y = _matrix(x)
    tall = y.shape[1] > y.shape[2]
    y = xp.swapaxes(y, 1, 2) if tall else y
    y = y / (xp.sqrt(_flat(y * y).sum(-1))[:, None, None] + 1e-7)
    for _ in range(5):
        a = xp.matmul(y, xp.swapaxes(y, 1, 2))
        y = 3.4445 * y + xp.matmul(-4.7750 * a + 2.0315 * xp.matmul(a, a), y)
    y = xp.swapaxes(y, 1, 2) if tall else y
    return y.reshape(x.shape)


def _unit_matrix(xp: Any, a: Any) -> tuple[Any, Any, Any]:
    """Matrices `[rows, n, n]` divided by their Frobenius norms, these norms `[rows, 1, 1]`, and unit matrices.

    Zeros stay zeros. The largest element is divided out first, since its square could overflow.
    """
    largest = xp.amax(xp.abs(_flat(a)), -1)[:, None, None] + 1e-30
    scaled = a / largest
    size = xp.sqrt(_flat(scaled * scaled).sum(-1))[:, None, None] + 1e-12
    return scaled / size, largest * size, xp.tril(xp.triu(xp.ones_like(a)))


def _inverse_root(xp: Any, x: Any) -> Any:
    """`(x + 1e-6 |x| I)^(-1/2)` for a symmetric matrix without negative eigenvalues, where `|x|` is the Frobenius norm.

    A coupled Newton-Schulz iteration: `root` goes to the root of the matrix, scaled to a norm of 1, and `inverse` to
    its inverse. The first steps, with Muon's coefficients, enlarge a small eigenvalue of the root 3.4 times each; the
    last ones, with the coefficients of the Taylor series, converge.
    """
    if x.ndim < 3:
        return 1.0 / (xp.sqrt(xp.abs(x)) + EPSILON)
    scaled, size, identity = _unit_matrix(xp, _matrix(x))
    root, inverse = scaled + 1e-6 * identity, identity
    for p, q, r in _INVERSE_ROOT_STEPS:
        y = xp.matmul(inverse, root)
        step = p * identity + xp.matmul(q * identity + r * y, y)
        root, inverse = xp.matmul(root, step), xp.matmul(step, inverse)
    return (inverse / xp.sqrt(size)).reshape(x.shape)


_INVERSE_ROOT_STEPS = (*((3.4445, -4.7750, 2.0315),) * 5, *((1.875, -1.25, 0.375),) * 4)
"""Coefficients of the steps of `inverse_root`."""


def _eigenbasis(xp: Any, x: Any, q: Any) -> Any:
    """The orthogonal factor of `x q`, with positive numbers on the diagonal of the other factor: a step of orthogonal
    iteration. A millionth of the norm of `x` is added to its diagonal, so that the factor is determined."""
    if x.ndim < 3:
        return xp.ones_like(q)
    scaled, _, identity = _unit_matrix(xp, _matrix(x))
    at_first = 1.0 - xp.sign(xp.abs(_flat(q)).sum(-1))[:, None, None]
    factor, rest = xp.linalg.qr(xp.matmul(scaled + 1e-6 * identity, _matrix(q) + at_first * identity))
    diagonal = (rest * identity).sum(-1)[:, None]
    ones = xp.ones_like(diagonal)
    return (factor * xp.where(diagonal < 0, -ones, ones)).reshape(q.shape)


def _rotate_back(xp: Any, x: Any, q: Any) -> Any:
    if x.ndim < 3:
        return x * q
    return xp.matmul(_matrix(x), xp.swapaxes(_matrix(q), 1, 2)).reshape(x.shape)


def _number_per_leaf(number: Callable[[Shape], int]) -> Callable[[Any, Any], Any]:
    """The implementation of a function that returns, for a leaf, the number that `number` returns for its shape."""

    def run(xp: Any, x: Any) -> Any:
        return xp.ones_like(_flat(x)[:, 0]) * float(number(tuple(x.shape[1:])))

    return run


def _unary(name: str, run: Callable[[Any, Any], Any], source: str = "", jumps: bool = False) -> Primitive:
    return Primitive(name, 1, "elementwise", broadcast, run, source or f"torch.{name}({{0}})", jumps=jumps)


def _constant(name: str, value: float, source: str) -> Primitive:
    return Primitive(name, 0, "constant", lambda types: SCALAR, lambda: value, source)


def _binary(
    name: str, run: Callable[[Any, Any, Any], Any], source: str, commutative: bool = False, jumps: bool = False
) -> Primitive:
    return Primitive(name, 2, "elementwise", broadcast, run, source, commutative=commutative, jumps=jumps)


def _extended(
    name: str, arity: int, scope: Scope, rule: TypeRule, run: Callable[..., Any], source: str, jumps: bool = False
) -> Primitive:
    return Primitive(name, arity, scope, rule, run, source, core=False, jumps=jumps)


def _whitening(name: str, arity: int, shape: Callable[..., Shape], run: Callable[..., Any], source: str) -> Primitive:
    return Primitive(name, arity, "leaf", _per_leaf(shape), run, source, core=False, whitening=True)


def _of_shape(name: str, number: Callable[[Shape], int], source: str) -> Primitive:
    return Primitive(name, 1, "leaf", _to_leaf, _number_per_leaf(number), source, core=False, of_shape=True)


EPSILON = 1e-8
"""Added to the divisor by the protected division."""

_TABLE = (
    _constant("get_pi", math.pi, "math.pi"),
    _constant("get_e", math.e, "math.e"),
    _constant("get_eps", EPSILON, "1e-8"),
    _unary("abs", lambda xp, x: xp.abs(x)),
    _unary("cos", lambda xp, x: xp.cos(x)),
    _unary("sin", lambda xp, x: xp.sin(x)),
    _unary("tan", lambda xp, x: xp.tan(x)),
    _unary("arcsin", lambda xp, x: xp.arcsin(x)),
    _unary("arccos", lambda xp, x: xp.arccos(x)),
    _unary("arctan", lambda xp, x: xp.arctan(x)),
    _unary("sinh", lambda xp, x: xp.sinh(x)),
    _unary("cosh", lambda xp, x: xp.cosh(x)),
    _unary("tanh", lambda xp, x: xp.tanh(x)),
    _unary("arcsinh", lambda xp, x: xp.arcsinh(x)),
    _unary("arccosh", lambda xp, x: xp.arccosh(x)),
    _unary("arctanh", lambda xp, x: xp.arctanh(x)),
    _unary("exp", lambda xp, x: xp.exp(x)),
    _unary("exp2", lambda xp, x: xp.exp2(x)),
    _unary("exp10", lambda xp, x: xp.pow(10.0, x), "10.0 ** {0}"),
    _unary("expm1", lambda xp, x: xp.expm1(x)),
    _unary("log", lambda xp, x: xp.log(xp.abs(x)), "torch.log(torch.abs({0}))"),
    _unary("log10", lambda xp, x: xp.log10(xp.abs(x)), "torch.log10(torch.abs({0}))"),
    _unary("log2", lambda xp, x: xp.log2(xp.abs(x)), "torch.log2(torch.abs({0}))"),
    _unary("log1p", lambda xp, x: xp.log(xp.abs(1.0 + x)), "torch.log(torch.abs(1.0 + {0}))"),
    _unary("square", lambda xp, x: x * x, "torch.square({0})"),
    _unary("sqrt", lambda xp, x: xp.sqrt(xp.abs(x)), "torch.sqrt(torch.abs({0}))"),
    _unary("cube", lambda xp, x: x * x * x, "{0} * {0} * {0}"),
    _unary("cbrt", lambda xp, x: xp.sign(x) * xp.pow(xp.abs(x), 1 / 3), "torch.sign({0}) * torch.abs({0}) ** (1 / 3)"),
    _unary("sign", lambda xp, x: xp.sign(x), jumps=True),
    _unary("reciprocal", lambda xp, x: 1.0 / x, "1.0 / {0}"),
    Primitive("invert", 1, "elementwise", _no_type, lambda xp, x: x, "~{0}"),
    _unary("negative", lambda xp, x: -x, "-{0}"),
    Primitive(
        "norm",
        1,
        "leaf",
        _to_leaf,
        lambda xp, x: xp.sqrt(xp.sum(_flat(x * x), -1)),
        "torch.sqrt(torch.sum(torch.square({0}).flatten()))",
    ),
    Primitive("global_norm", 1, "tree", _to_scalar, _norm, "_global_norm({0})"),
    Primitive("dot", 2, "tree", _to_scalar, lambda xp, x, y: _total(xp, x * y), "_dot({0}, {1})", commutative=True),
    Primitive(
        "cosine_sim",
        2,
        "tree",
        _to_scalar,
        lambda xp, x, y: _total(xp, x * y) / (_norm(xp, x) * _norm(xp, y)),
        "_cosine_sim({0}, {1})",
        commutative=True,
    ),
    Primitive("clip", 2, "tree", _clip_type, _clip, "_clip({0}, {1})", jumps=True),
    _binary("power", lambda xp, x, y: xp.pow(x, y), "{0} ** {1}"),
    Primitive(
        "interp", 3, "elementwise", broadcast, lambda xp, x, y, a: (1 - a) * x + a * y, "(1 - {2}) * {0} + {2} * {1}"
    ),
    _binary("+", lambda xp, x, y: x + y, "{0} + {1}", commutative=True),
    _binary("-", lambda xp, x, y: x - y, "{0} - {1}"),
    _binary("*", lambda xp, x, y: x * y, "{0} * {1}", commutative=True),
    _binary("/", lambda xp, x, y: x / (y + EPSILON), "{0} / ({1} + 1e-8)"),
    _binary("max", lambda xp, x, y: xp.maximum(x, y), "torch.maximum({0}, {1})", commutative=True, jumps=True),
    _binary("min", lambda xp, x, y: xp.minimum(x, y), "torch.minimum({0}, {1})", commutative=True, jumps=True),
    # Extended: comparison and periodic events.
    _extended(
        "greater",
        2,
        "elementwise",
        broadcast,
        lambda xp, x, y: xp.where(x > y, xp.ones_like(x), xp.zeros_like(x)),
        "_greater({0}, {1})",
        jumps=True,
    ),
    _extended(
        "where",
        3,
        "elementwise",
        broadcast,
        lambda xp, c, x, y: xp.where(c > 0, x, y),
        "torch.where({0} > 0, {1}, {2})",
        jumps=True,
    ),
    _extended(
        "modulo",
        2,
        "elementwise",
        broadcast,
        lambda xp, x, y: xp.remainder(x, y),
        "torch.remainder({0}, {1})",
        jumps=True,
    ),
    # Extended: reductions of a leaf, and numbers that describe its shape.
    _extended("leaf_max", 1, "leaf", _to_leaf, lambda xp, x: xp.amax(_flat(x), -1), "torch.amax({0})"),
    _extended("leaf_mean", 1, "leaf", _to_leaf, lambda xp, x: xp.mean(_flat(x), -1), "torch.mean({0}.flatten())"),
    _extended("leaf_sum", 1, "leaf", _to_leaf, lambda xp, x: xp.sum(_flat(x), -1), "torch.sum({0}.flatten())"),
    _of_shape("rank", len, "_size({0}.ndim, {0})"),
    _of_shape(
        "rows",
        lambda shape: shape[0] if len(shape) > 1 else 1,
        "_size({0}.shape[0] if {0}.ndim > 1 else 1, {0})",
    ),
    _of_shape(
        "columns",
        lambda shape: columns(shape) if len(shape) > 1 else 1,
        "_size({0}[0].numel() if {0}.ndim > 1 else 1, {0})",
    ),
    # Extended: matrix functions. Below rank 2 the means, the transpose and orthogonalize return their argument,
    # rank_one its first argument, matmul and rotate_back multiply elementwise, inverse_root takes the root of each
    # element, and eigenbasis returns ones.
    _extended("row_mean", 1, "leaf", _per_leaf(row_shape), _row_mean, "_row_mean({0})"),
    _extended("column_mean", 1, "leaf", _per_leaf(column_shape), _column_mean, "_column_mean({0})"),
    _extended("rank_one", 2, "leaf", _per_leaf(_rank_one_shape), _rank_one, "_rank_one({0}, {1})"),
    _extended("matmul", 2, "leaf", _per_leaf(_matmul_shape), _matmul, "_matmul({0}, {1})"),
    _extended(
        "transpose",
        1,
        "leaf",
        _per_leaf(lambda shape: (columns(shape), shape[0]) if len(shape) > 1 else shape),
        _transpose,
        "_transpose({0})",
    ),
    _extended("orthogonalize", 1, "leaf", _per_leaf(lambda shape: shape), _orthogonalize, "_orthogonalize({0})"),
    _whitening("inverse_root", 1, _square_shape, _inverse_root, "_inverse_root({0})"),
    _whitening("eigenbasis", 2, _basis_shape, _eigenbasis, "_eigenbasis({0}, {1})"),
    _whitening("rotate_back", 2, _rotate_back_shape, _rotate_back, "_rotate_back({0}, {1})"),
)

COPY = Primitive("=", 1, "elementwise", broadcast, lambda xp, x: x, "{0}")
"""`x = y`: a second name for a value, not an operation. Variation never inserts it."""

PRIMITIVES: dict[str, Primitive] = {primitive.name: primitive for primitive in (*_TABLE, COPY)}
"""Every function by name."""

CORE = tuple(primitive.name for primitive in _TABLE if primitive.core)
"""Names of the paper's 45 functions."""

WHITENING = tuple(primitive.name for primitive in _TABLE)
"""Names of all functions."""

EXTENDED = tuple(primitive.name for primitive in _TABLE if not primitive.whitening)
"""Names of the core functions and of the extended ones. Searches draw from a set by position: a function that is added
to this set changes what they breed."""

FUNCTION_SETS = {"core": CORE, "extended": EXTENDED, "whitening": WHITENING}
