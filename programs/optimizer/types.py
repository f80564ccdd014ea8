"""Types of values: a scalar, or a tree with a shape for each parameter tensor (leaf).

Types are inferred on a reference tree of mixed ranks. No leaf of it, taken as a matrix of its first axis by all others,
is square, so that two shapes are equal there only if they are equal for every model.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from math import prod

Shape = tuple[int, ...]

REFERENCE: tuple[Shape, ...] = ((), (3,), (3, 2), (2, 4), (3, 2, 2, 2))
"""Leaf shapes on which programs are checked and fingerprinted."""


@dataclass(frozen=True, slots=True, eq=False)
class Type:
    """The type of a value. `shapes` is the shape at each leaf of the reference tree; None for a scalar.

    Only `type_of` creates types, so that equal types are the same object and comparing them is cheap.
    """

    shapes: tuple[Shape, ...] | None

    def __reduce__(self) -> tuple[object, ...]:
        return type_of, (self.shapes,)

    def __str__(self) -> str:
        return _NAMES.get(self) or _shown(self.shapes or ())


@cache
def type_of(shapes: tuple[Shape, ...] | None) -> Type:
    """The type with the given leaf shapes, or the scalar for None."""
    return Type(shapes)


def row_shape(shape: Shape) -> Shape:
    """The shape of the row means of a leaf, which are over all axes but the first: `(n, 1, …)` for `(n, …)`.

    Below rank 2 the shape itself.
    """
    return (shape[0], *(1 for _ in shape[1:])) if len(shape) > 1 else shape


def column_shape(shape: Shape) -> Shape:
    """The shape of the column means of a leaf, which are over the first axis: `(1, …)` for `(n, …)`.

    Below rank 2 the shape itself.
    """
    return (1, *shape[1:]) if len(shape) > 1 else shape


def left_shape(shape: Shape) -> Shape:
    """The shape of `matmul(x, transpose(x))` at a leaf `x` of this shape: `(rows, rows)`.

    Below rank 2 the shape itself.
    """
    return (shape[0], shape[0]) if len(shape) > 1 else shape


def right_shape(shape: Shape) -> Shape:
    """The shape of `matmul(transpose(x), x)` at a leaf `x` of this shape: a row for each column of `x`, which has the
    axes of a row of `x`, so that `(n, a, b)` gives `(a * b, a, b)`.

    Below rank 2 the shape itself.
    """
    return (columns(shape), *shape[1:]) if len(shape) > 1 else shape


def columns(shape: Shape) -> int:
    """The number of columns of a leaf of rank 2 or more, taken as a matrix: the product of all axes but the first."""
    return prod(shape[1:])


SCALAR = type_of(None)
TREE = type_of(REFERENCE)

LEAF_SHAPES: dict[str, Callable[[Shape], Shape]] = {
    "tree": lambda shape: shape,
    "leaf": lambda shape: (),
    "row": row_shape,
    "column": column_shape,
    "left": left_shape,
    "right": right_shape,
    "readout": lambda shape: shape,
}
"""The shape of a state at a leaf, from the shape of the leaf, by the word that declares it."""

STATE_TYPES = {
    **{word: type_of(tuple(map(shape_of, REFERENCE))) for word, shape_of in LEAF_SHAPES.items()},
    "scalar": SCALAR,
}
"""The type of a state by the word that declares its shape: `t: leaf` is a scalar per leaf; without a word, a tree."""

LEAF, ROW, COLUMN = STATE_TYPES["leaf"], STATE_TYPES["row"], STATE_TYPES["column"]
LEFT, RIGHT = STATE_TYPES["left"], STATE_TYPES["right"]

SHAPE_WORDS = {each: word for word, each in STATE_TYPES.items() if word != "readout"}
"""The word that declares the shape of a state, by its type."""

_NAMES = {
    SCALAR: "a scalar",
    TREE: "a tree like w",
    LEAF: "a scalar per leaf",
    ROW: "row means",
    COLUMN: "column means",
    LEFT: "products of rows (rows by rows)",
    RIGHT: "products of columns (columns by columns)",
}


class TypeMismatch(ValueError):
    """Arguments of types that a function does not take; the message says what was expected and what it got."""


def _shown(shapes: tuple[Shape, ...]) -> str:
    """A tree without a name, by its shapes for two parameters: a matrix, and the kernel of a convolution."""
    (matrix, shape), (kernel, other) = ((REFERENCE[i], shapes[i]) for i in (2, 4))
    return f"a tree of shape {shape} for a parameter of shape {matrix}, and {other} for {kernel}"


def by_leaf(result: Callable[..., Shape], types: Sequence[Type]) -> Type:
    """The type of a function per leaf, from the types of its arguments, which are trees.

    Args:
        result: the shape of the result at a leaf, from the shapes of the arguments at that leaf.
        types: of the arguments, at least one.

    Raises:
        TypeMismatch: `result` does, for a parameter that is named in the message.
    """
    shapes = []
    for parameter, *arguments in zip(REFERENCE, *(each.shapes or () for each in types), strict=True):
        try:
            shapes.append(result(*arguments))
        except TypeMismatch as mismatch:
            raise TypeMismatch(f"{mismatch} for a parameter of shape {parameter}") from None
    return type_of(tuple(shapes))


def broadcast(types: tuple[Type, ...]) -> Type:
    """The result type of an elementwise function: scalars fit every type, trees broadcast leaf by leaf.

    Raises:
        TypeMismatch: the shapes at a leaf do not broadcast.
    """
    trees = [argument for argument in types if argument.shapes is not None]
    return by_leaf(broadcast_shapes, trees) if trees else SCALAR


def broadcast_shapes(*shapes: Shape) -> Shape:
    """The shape to which shapes broadcast, as in torch. Raises TypeMismatch: they do not."""
    rank = max(map(len, shapes))
    padded = [(1,) * (rank - len(shape)) + shape for shape in shapes]
    result = []
    for sizes in zip(*padded, strict=True):
        different = {size for size in sizes if size != 1}
        if len(different) > 1:
            raise TypeMismatch(f"expected shapes that broadcast, got {' and '.join(map(str, shapes))}")
        result.append(different.pop() if different else 1)
    return tuple(result)
