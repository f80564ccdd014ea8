"""The form on which rules work: the live expressions of a program, each of them once, with its loop-carried states.

A form is built from the graph of a program. No two nodes are equal, whatever the order of arguments where it does not
matter, and every node is live: an update depends on it, in its step or, through the states, in a later step.
"""

from dataclasses import dataclass
from functools import cached_property

from germline.programs.optimizer.graph import Node
from germline.programs.optimizer.primitives import PRIMITIVES
from germline.programs.optimizer.program import State
from germline.programs.optimizer.types import SCALAR

Expression = int | float | tuple["str | Expression", ...]
"""A node of a form by its number, a literal, or a function with its arguments: `("*", 3, 0.5)`. The arguments of a
changed node are numbers smaller than its own. `("input:m",)` is the input m, even where its node is changed."""

Cost = tuple[int, int, int, int, int, int]
"""What a simplification makes smaller, the most important first: statements plus `STATE_WEIGHT` for each state;
statements whose value is a tree; literals; different literals; the sum of the depths of all values; arguments.

Different literals come before depths, so that a decay which is used twice stays one number: Nesterov's momentum
`interp(g, interp(g, m, 0.9), 0.9)` does not become `interp(g, m, 0.81)` where the inner average is needed anyway. Two
moving averages that become one have the product of their decays, because nothing is left that has one of them alone."""

STATE_WEIGHT = 2

ANY_ORDER = frozenset(name for name, primitive in PRIMITIVES.items() if primitive.commutative) - {"max", "min"}
"""Functions that have the same bits for either order of their arguments. `max` and `min` choose between 0.0 and -0.0 by
the order."""


@dataclass(frozen=True)
class Form:
    """Expressions of a program.

    Attributes:
        nodes: the values; each comes after those it depends on, inputs first.
        names: a name for each node, from the statement that computed it; empty without one.
        states: the live states.
        present: the node of each state's present value.
        following: the node of each state's next value.
        update: the node of the update.
        touched: the nodes that differ, or depend on what differs within a step, from the form that this was made of.
        reshaped: True if a function got an argument of another type, such as a scalar for a tree of equal elements, and
            libraries compute it with other last bits then.
    """

    nodes: tuple[Node, ...]
    names: tuple[str, ...]
    states: tuple[State, ...]
    present: tuple[int, ...]
    following: tuple[int, ...]
    update: int
    touched: frozenset[int] = frozenset()
    reshaped: bool = False

    @property
    def roots(self) -> tuple[int, ...]:
        """The nodes that are returned."""
        return (self.update, *self.following)

    @cached_property
    def operations(self) -> tuple[int, ...]:
        """The nodes that are functions."""
        return tuple(i for i, node in enumerate(self.nodes) if is_operation(node))

    @cached_property
    def uses(self) -> tuple[int, ...]:
        """How often each node is an argument or returned."""
        uses = [0] * len(self.nodes)
        for node in self.nodes:
            for arg in node.args:
                uses[arg] += 1
        for root in self.roots:
            uses[root] += 1
        return tuple(uses)

    @cached_property
    def cost(self) -> Cost:
        """Its size; see `Cost`."""
        nodes = self.nodes
        depth = [0] * len(nodes)
        literals = trees = arguments = 0
        different: set[int] = set()
        for i in self.operations:
            args = nodes[i].args
            depth[i] = 1 + max((depth[arg] for arg in args), default=0)
            numbers = [arg for arg in args if nodes[arg].literal is not None]
            literals += len(numbers)
            different.update(numbers)
            trees += nodes[i].type != SCALAR
            arguments += len(args)
        copies = sum(nodes[root].literal is not None for root in self.following)
        size = len(self.operations) + copies + STATE_WEIGHT * len(self.states)
        return size, trees, literals + copies, len(different), sum(depth), arguments

    @cached_property
    def key(self) -> tuple[object, ...]:
        """Equal for equal forms, whatever their names."""
        return tuple(node[:3] for node in self.nodes), self.roots, self.present

    def literal(self, node: int) -> float | None:
        """The number that a node is; None if it is no literal."""
        return self.nodes[node].literal


def is_operation(node: Node) -> bool:
    """True for a function, False for a literal or an input."""
    return node.literal is None and not node.function.startswith("input:")


def literal_node(value: float) -> Node:
    """The node of a number."""
    return Node("literal", (), value, SCALAR)


def count_operations(expression: Expression) -> int:
    """The number of functions of an expression."""
    if not isinstance(expression, tuple):
        return 0
    return 1 + sum(count_operations(part) for part in expression[1:] if not isinstance(part, str))
