"""Lowers a traced program to micro-operations: the few elementwise operations and reductions of the interpreters.

Primitives are not declared a second time: the implementation of each runs on symbols instead of arrays, and the
operations on them are recorded. The record is in static single-assignment form, with common subexpressions merged and
dead code removed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, NamedTuple

import numpy as np

from germline.programs.optimizer import Graph
from germline.programs.optimizer.flat import Layout
from germline.programs.optimizer.graph import Node
from germline.programs.optimizer.primitives import PRIMITIVES, Primitive
from germline.programs.optimizer.types import LEAF, SCALAR, TREE, Type


class Domain(IntEnum):
    """How many numbers a value has: a single number, a number per leaf, or a number per element."""

    SCALAR = 0
    LEAF = 1
    TREE = 2


DOMAINS: dict[Type, Domain] = {SCALAR: Domain.SCALAR, LEAF: Domain.LEAF, TREE: Domain.TREE}

REDUCING = ("sum", "amax")
"""Reductions: of a tree to a number per leaf, or of a tree or of numbers per leaf to a single number."""


class Unsupported(ValueError):
    """The program has a matrix function or a tree of other shapes, which bytecode cannot express."""


class Micro(NamedTuple):
    """A value: an input (`input:w`), a `constant` (a number, or a tuple with a number per leaf), or an operation on the
    earlier values with the indices `args`."""

    operation: str
    args: tuple[int, ...]
    domain: Domain
    constant: float | tuple[float, ...] | None = None


@dataclass(frozen=True)
class MicroProgram:
    """A step of a program.

    `values` are in the order of computation; `update` is the index of the value to subtract from w; `states` has for
    each live state, by its name, the index of its next value, and its domain.
    """

    values: tuple[Micro, ...]
    update: int
    states: dict[str, tuple[int, Domain]]


def lower(graph: Graph, layout: Layout) -> MicroProgram:
    """Returns the live part of a traced program as micro-operations on the leaves of `layout`.

    Raises:
        Unsupported: the program has a matrix function, a tree of other shapes, or a read-out.
    """
    if graph.readout is not None:
        raise Unsupported("bytecode keeps no read-out")
    record = _Record(layout)
    symbols: dict[int, Any] = {}
    for i in graph.live:
        node = graph.nodes[i]
        if node.type not in DOMAINS:
            raise Unsupported(f"{node.function} gives {node.type}")
        if node.literal is not None:
            # A literal stays a Python number, as in the reference interpreter.
            symbols[i] = node.literal if node.function == "literal" else record.constant(node.literal)
        elif node.function.startswith("input:"):
            symbols[i] = record.emit(node.function, (), DOMAINS[node.type])
        else:
            symbols[i] = _apply(record, node, [(symbols[arg], graph.nodes[arg].type) for arg in node.args])
    ends = {
        graph.nodes[graph.state_nodes[k]].function.removeprefix("input:"): graph.next_states[k]
        for k in graph.live_states
    }
    states = {name: (record.index(symbols[node]), DOMAINS[graph.nodes[node].type]) for name, node in ends.items()}
    return _without_dead(record.values, record.index(symbols[graph.update]), states)


def _apply(record: "_Record", node: Node, args: Sequence[tuple[Any, Type]]) -> Any:
    primitive = PRIMITIVES[node.function]
    values = [value for value, _ in args]
    if primitive.of_shape:
        return record.constant(_by_leaf(primitive, args[0][1], record.layout))
    if primitive.scope == "leaf" and node.type != LEAF:
        raise Unsupported(f"{node.function} works on matrices")
    # As in the reference interpreter: + - * / and interp get a literal as a Python number beside a tensor.
    if not (primitive.operator or node.function == "interp") or all(isinstance(value, float) for value in values):
        values = [record.symbol(value) for value in values]
    record.reduce_to = Domain.LEAF if primitive.scope == "leaf" else Domain.SCALAR
    return primitive.run(_Functions(), *values)


def _by_leaf(primitive: Primitive, argument: Type, layout: Layout) -> tuple[float, ...]:
    """The value of a function of shapes at each leaf."""
    shapes = layout.shapes if argument == TREE else ((),) * len(layout.shapes)
    return tuple(float(primitive.run(np, np.zeros((1, *shape)))[0]) for shape in shapes)


class _Record:
    """The list of values so far. A value that equals an earlier value is not added again."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.values: list[Micro] = []
        self.known: dict[tuple[object, ...], int] = {}
        self.reduce_to = Domain.SCALAR

    def emit(self, operation: str, args: tuple["_Symbol", ...], domain: Domain, constant: Any = None) -> "_Symbol":
        # repr, because 0.0 and -0.0 are equal as keys and still different constants.
        key = (operation, tuple(arg.index for arg in args), repr(constant), domain)
        if key not in self.known:
            self.known[key] = len(self.values)
            self.values.append(Micro(operation, tuple(arg.index for arg in args), domain, constant))
        return _Symbol(self, self.known[key], domain)

    def constant(self, value: float | tuple[float, ...]) -> "_Symbol":
        return self.emit("constant", (), Domain.LEAF if isinstance(value, tuple) else Domain.SCALAR, value)

    def symbol(self, value: Any) -> "_Symbol":
        return value if isinstance(value, _Symbol) else self.constant(float(value))

    def index(self, value: Any) -> int:
        return self.symbol(value).index


class _Symbol:
    """Stands for an array in a primitive's implementation, and records the operations on it."""

    def __init__(self, record: _Record, index: int, domain: Domain) -> None:
        self.record = record
        self.index = index
        self.domain = domain

    def do(self, operation: str, *others: Any) -> "_Symbol":
        return self._of(operation, self, *others)

    def _of(self, operation: str, *args: Any) -> "_Symbol":
        symbols = tuple(self.record.symbol(arg) for arg in args)
        return self.record.emit(operation, symbols, max(symbol.domain for symbol in symbols))

    def __neg__(self) -> "_Symbol":
        return self.do("negative")

    def __add__(self, other: Any) -> "_Symbol":
        return self.do("add", other)

    def __radd__(self, other: Any) -> "_Symbol":
        return self._of("add", other, self)

    def __sub__(self, other: Any) -> "_Symbol":
        return self.do("subtract", other)

    def __rsub__(self, other: Any) -> "_Symbol":
        return self._of("subtract", other, self)

    def __mul__(self, other: Any) -> "_Symbol":
        return self.do("multiply", other)

    def __rmul__(self, other: Any) -> "_Symbol":
        return self._of("multiply", other, self)

    def __truediv__(self, other: Any) -> "_Symbol":
        return self.do("divide", other)

    def __rtruediv__(self, other: Any) -> "_Symbol":
        """Like torch for a Python number: the reciprocal times the number."""
        reciprocal = self.do("reciprocal")
        return reciprocal if other == 1.0 else reciprocal * other

    def __gt__(self, other: Any) -> "_Symbol":
        return self.do("greater", other)

    @property
    def shape(self) -> tuple[int, ...]:
        return (1,)

    @property
    def ndim(self) -> int:
        """Dimensions of the array of a leaf: 1 for `[rows]`. A tree has arrays of different dimensions."""
        if self.domain == Domain.TREE:
            raise Unsupported("a function of matrices")
        return 1

    def reshape(self, *shape: int) -> "_Symbol":
        return self

    def __getitem__(self, index: Any) -> "_Symbol":
        """Primitives index only to add an axis after a sum, which a single number per row does not need."""
        return self

    def reduced(self, operation: str) -> "_Symbol":
        to = self.record.reduce_to
        return self if self.domain <= to else self.record.emit(operation, (self,), to)


class _Functions:
    """The functions of `xp` that primitives call, on symbols."""

    def __getattr__(self, name: str) -> Any:
        return lambda first, *others: first.do(name, *others)

    @staticmethod
    def clip(x: _Symbol, low: None, high: float) -> _Symbol:
        return x.do("minimum", high)

    @staticmethod
    def pow(x: Any, y: Any) -> _Symbol:
        either: _Symbol = x if isinstance(x, _Symbol) else y
        return either.record.symbol(x).do("power", y)

    @staticmethod
    def sum(x: _Symbol, axis: int) -> _Symbol:
        return x.reduced("sum")

    @staticmethod
    def mean(x: _Symbol, axis: int) -> _Symbol:
        sizes = x.record.layout.sizes if x.domain == Domain.TREE else (1,) * len(x.record.layout.sizes)
        return x.reduced("sum") / x.record.constant(tuple(map(float, sizes)))

    @staticmethod
    def amax(x: _Symbol, axis: int) -> _Symbol:
        return x.reduced("amax")

    @staticmethod
    def ones_like(x: _Symbol) -> _Symbol:
        return x.record.constant(1.0)

    @staticmethod
    def zeros_like(x: _Symbol) -> _Symbol:
        return x.record.constant(0.0)

    @staticmethod
    def where(condition: _Symbol, x: _Symbol, y: _Symbol) -> _Symbol:
        choices = [condition.record.values[symbol.index].constant for symbol in (x, y)]
        # A comparison is 1.0 or 0.0 already.
        return condition if repr(choices) == "[1.0, 0.0]" else condition.do("where", x, y)


def _without_dead(values: Sequence[Micro], update: int, states: dict[str, tuple[int, Domain]]) -> MicroProgram:
    """The program without values that no update depends on, in this step or, through the states, in a later step.

    The liveness analysis of the graph has removed most of them; lowering leaves more, such as a state of which the
    program only uses the shape.
    """
    needed: set[int] = set()
    pending = [update]
    while pending:
        index = pending.pop()
        if index not in needed:
            needed.add(index)
            pending.extend(values[index].args)
            pending.extend(end for name, (end, _) in states.items() if values[index].operation == f"input:{name}")
    new = {old: position for position, old in enumerate(sorted(needed))}
    renumbered = tuple(values[old]._replace(args=tuple(new[arg] for arg in values[old].args)) for old in sorted(needed))
    read = {value.operation for value in renumbered}
    ends = {name: (new[end], domain) for name, (end, domain) in states.items() if f"input:{name}" in read}
    return MicroProgram(renumbered, new[update], ends)
