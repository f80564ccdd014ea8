"""One program on many parameter vectors at once, in numpy or torch.

A row is the whole tree of one candidate, its leaves flattened and joined. The type of a value decides how it is stored:
a scalar as `[rows, 1]`, a tree like w as `[rows, elements]`, a scalar per leaf as `[rows, leaves]`, and any other tree
as a list with an array `[rows, *shape]` for each leaf.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any

import numpy as np

from germline.programs.optimizer.graph import Graph, Node
from germline.programs.optimizer.primitives import PRIMITIVES, Primitive
from germline.programs.optimizer.types import LEAF, LEAF_SHAPES, SCALAR, SHAPE_WORDS, TREE, Shape, Type

Value = Any
"""An array, or a list with an array for each leaf."""


@dataclass(frozen=True)
class Layout:
    """The leaf shapes of a model, in the order of their elements in a row."""

    shapes: tuple[Shape, ...]

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """The number of elements of each leaf."""
        return tuple(prod(shape) for shape in self.shapes)

    @cached_property
    def spans(self) -> tuple[tuple[int, int], ...]:
        """First (inclusive) and last (exclusive) element of each leaf in a row."""
        ends = np.cumsum(self.sizes).tolist()
        return tuple((end - size, end) for end, size in zip(ends, self.sizes, strict=True))

    @property
    def elements(self) -> int:
        """The number of elements of a row."""
        return sum(self.sizes)

    @cached_property
    def leaf_of(self) -> np.ndarray:
        """The index of the leaf of each element of a row, int64 `[elements]`."""
        return np.repeat(np.arange(len(self.shapes)), self.sizes)

    def zeros(self, state_type: Type, rows: int, zeros: Callable[[Shape], Any]) -> Value:
        """The value of a state before the first step, stored as the head of this file says; `zeros` makes an array of
        zeros of a shape."""
        if state_type == SCALAR:
            return zeros((rows, 1))
        if state_type in (LEAF, TREE):
            return zeros((rows, len(self.shapes) if state_type == LEAF else self.elements))
        shape_of = LEAF_SHAPES[SHAPE_WORDS[state_type]]
        return [zeros((rows, *shape_of(shape))) for shape in self.shapes]

    def split(self, row: Any) -> list[Any]:
        """For each leaf a view `[rows, *shape]` of an array `[rows, elements]`."""
        return [row[:, a:b].reshape(-1, *shape) for (a, b), shape in zip(self.spans, self.shapes, strict=True)]


class FlatProgram:
    """The live part of a traced program, ready to run on rows of a layout.

    Args:
        graph: a traced program.
        layout: the leaf shapes of the model.
        xp: the array library: numpy or torch.
        leaf_of: `layout.leaf_of` as an index array of `xp`, on the rows' device.
        call: applies a primitive to arrays, as the fingerprint does to control the precision; None calls the
            primitive's implementation directly.

    Attributes:
        literals: the live nodes that are numbers.
        inputs: the node of each live input, by its name.
        operations: the live nodes that are functions, in the order of computation.
    """

    def __init__(
        self, graph: Graph, layout: Layout, xp: Any, leaf_of: Any, call: Callable[..., Any] | None = None
    ) -> None:
        self.graph = graph
        self.layout = layout
        self.xp = xp
        self.leaf_of = leaf_of
        self.call = call or (lambda primitive, *args: primitive.run(xp, *args))
        live = graph.live
        self.literals = tuple(i for i in live if graph.nodes[i].literal is not None)
        self.inputs = {graph.nodes[i].function.removeprefix("input:"): i for i in live if _is_input(graph.nodes[i])}
        self.operations = tuple(i for i in live if graph.nodes[i].literal is None and not _is_input(graph.nodes[i]))

    def run(self, inputs: Mapping[str, Value], literals: Sequence[Any]) -> tuple[Any, dict[int, Value]]:
        """Runs one step.

        Args:
            inputs: a value for every name in `self.inputs`, stored as the head of this file says.
            literals: for every node in `self.literals`, an array that broadcasts to `[rows, 1]`.

        Returns:
            The update, `[rows, elements]`, and the next value of each live state by the state's position.
        """
        values = self.values(inputs, literals)
        states = {k: values[self.graph.next_states[k]] for k in self.graph.live_states}
        return values[self.graph.update], states

    def values(self, inputs: Mapping[str, Value], literals: Sequence[Any]) -> dict[int, Value]:
        """The value of every live node in one step, with the arguments of `run`."""
        values: dict[int, Value] = {node: inputs[name] for name, node in self.inputs.items()}
        values.update(zip(self.literals, literals, strict=True))
        nodes = self.graph.nodes
        for i in self.operations:
            node = nodes[i]
            values[i] = self._apply(node, [values[arg] for arg in node.args], [nodes[arg].type for arg in node.args])
        return values

    def _apply(self, node: Node, args: list[Value], types: list[Type]) -> Value:
        """The value of an operation on arguments of the given types."""
        primitive = PRIMITIVES[node.function]
        if primitive.scope == "tree":
            return self._whole_tree(primitive, node, args)
        if primitive.scope == "elementwise" and _same_storage(types):
            return self.call(primitive, *args)
        if primitive.scope == "elementwise" and all(arg_type in (SCALAR, LEAF, TREE) for arg_type in types):
            typed = zip(args, types, strict=True)
            return self.call(primitive, *(arg[:, self.leaf_of] if arg_type == LEAF else arg for arg, arg_type in typed))
        by_leaf = zip(*map(self._leaves, args, types), strict=True)
        align = _padded if primitive.scope == "elementwise" else tuple
        return self._store([self.call(primitive, *align(at_leaf)) for at_leaf in by_leaf], node.type)

    def _whole_tree(self, primitive: Primitive, node: Node, args: list[Value]) -> Value:
        """The value of a function of whole trees."""
        flat = [self._join(arg) if isinstance(arg, list) else arg for arg in args]
        result = self.call(primitive, *flat)
        if node.type == SCALAR or not isinstance(args[0], list):
            return result
        ends = np.cumsum([prod(leaf.shape[1:]) for leaf in args[0]]).tolist()
        starts = [0, *ends[:-1]]
        return [result[:, a:b].reshape(leaf.shape) for a, b, leaf in zip(starts, ends, args[0], strict=True)]

    def _leaves(self, value: Value, value_type: Type) -> list[Any]:
        """The array of a value at each leaf."""
        if value_type == TREE:
            return self.layout.split(value)
        if value_type == SCALAR:
            return [value[:, 0]] * len(self.layout.shapes)
        if value_type == LEAF:
            return [value[:, leaf] for leaf in range(len(self.layout.shapes))]
        return list(value)

    def _store(self, leaves: list[Any], value_type: Type) -> Value:
        """A value of the given type, stored as the head of this file says, from an array `[rows, …]` for each leaf."""
        if value_type == LEAF:
            return self.xp.stack(leaves, 1)
        return self._join(leaves) if value_type == TREE else leaves

    def _join(self, leaves: list[Any]) -> Any:
        """One array `[rows, elements]` from an array `[rows, *shape]` for each leaf: each leaf flattened, all of them
        joined in order."""
        rows = max(leaf.shape[0] for leaf in leaves)
        return self.xp.concatenate([leaf.reshape(rows, -1) for leaf in leaves], 1)


def _is_input(node: Node) -> bool:
    return node.function.startswith("input:")


def _same_storage(types: list[Type]) -> bool:
    """True if values of these types broadcast as they are stored."""
    trees = {value_type for value_type in types if value_type != SCALAR}
    return not trees or trees == {LEAF} or trees == {TREE}


def _padded(arrays: tuple[Any, ...]) -> list[Any]:
    """Arrays `[rows, *shape]`, reshaped so that they broadcast: axes of size 1 come after the axis of rows until
    all have the largest rank."""
    rank = max(array.ndim for array in arrays)
    return [array.reshape(array.shape[0], *(1,) * (rank - array.ndim), *array.shape[1:]) for array in arrays]
