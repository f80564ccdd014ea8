"""The type of a value: a scalar, or a tree with one shape per parameter tensor.

Types are inferred on a reference tree of mixed ranks. Its sizes differ within each leaf, so that two shapes agree there
only if they agree for every model.
"""

from dataclasses import dataclass
from functools import cache
from math import prod

Shape = tuple[int, ...]

REFERENCE: tuple[Shape, ...] = ((), (3,), (3, 2), (2, 4), (3, 2, 2, 2))
"""Leaf shapes on which programs are checked and fingerprinted."""


@dataclass(frozen=True, slots=True, eq=False)
class Type:
    """`shapes` is None for a scalar; for a tree it is the shape at each leaf of the reference tree.

    Made by `type_of` alone, so that equal types are one object and a search compares them at no cost.
    """

    shapes: tuple[Shape, ...] | None

    def __reduce__(self) -> tuple[object, ...]:
        return type_of, (self.shapes,)

    def __str__(self) -> str:
        return _NAMES.get(self, "a tree with the leaf shapes " + str(self.shapes))


@cache
def type_of(shapes: tuple[Shape, ...] | None) -> Type:
    """The type with these leaf shapes."""
    return Type(shapes)


def row_shape(shape: Shape) -> Shape:
    """The shape of row means: a leaf is a matrix of its first axis by all others; below rank 2 it is left as it is."""
    return (shape[0], *(1 for _ in shape[1:])) if len(shape) > 1 else shape


def column_shape(shape: Shape) -> Shape:
    return (1, *shape[1:]) if len(shape) > 1 else shape


def columns(shape: Shape) -> int:
    return prod(shape[1:])


SCALAR = type_of(None)
TREE = type_of(REFERENCE)
LEAF = type_of(tuple(() for _ in REFERENCE))
ROW = type_of(tuple(map(row_shape, REFERENCE)))
COLUMN = type_of(tuple(map(column_shape, REFERENCE)))

STATE_TYPES = {"tree": TREE, "leaf": LEAF, "row": ROW, "column": COLUMN, "scalar": SCALAR}
"""What a state may be declared as: `m` (a tree like w), `t: leaf` (a number per tensor), `r: row`, `b: scalar`."""

_NAMES = {
    SCALAR: "a scalar",
    TREE: "a tree like w",
    LEAF: "a scalar per leaf",
    ROW: "row means",
    COLUMN: "column means",
}


class TypeMismatch(ValueError):
    """The arguments do not fit the function; the message says what was expected and what came."""


def broadcast(types: tuple[Type, ...]) -> Type:
    """The type of an elementwise function of `types`: scalars fit everything, trees broadcast leaf by leaf."""
    trees = [kind.shapes for kind in types if kind.shapes is not None]
    if not trees:
        return SCALAR
    return type_of(tuple(_broadcast_shapes(at_leaf) for at_leaf in zip(*trees, strict=True)))


def _broadcast_shapes(shapes: tuple[Shape, ...]) -> Shape:
    rank = max(map(len, shapes))
    padded = [(1,) * (rank - len(shape)) + shape for shape in shapes]
    result = []
    for sizes in zip(*padded, strict=True):
        wide = {size for size in sizes if size != 1}
        if len(wide) > 1:
            raise TypeMismatch(f"expected shapes that broadcast, got {' and '.join(map(str, shapes))}")
        result.append(wide.pop() if wide else 1)
    return tuple(result)
