"""Building forms: from a program, or from another form in which some expressions are replaced."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from math import isfinite

from germline.programs.optimizer.graph import Node, trace
from germline.programs.optimizer.primitives import PRIMITIVES
from germline.programs.optimizer.program import Program, State
from germline.programs.optimizer.simplify.folding import KEEPS_BITS
from germline.programs.optimizer.simplify.form import ANY_ORDER, Expression, Form, is_operation, literal_node
from germline.programs.optimizer.types import STATE_TYPES, TREE, Type, TypeMismatch, broadcast


def from_program(program: Program) -> Form:
    """The form of a valid program.

    Raises:
        InvalidProgram: the program does not pass abstract execution.
    """
    graph = trace(program)
    names: dict[int, str] = {}
    for line, node in zip(program.body, graph.statements, strict=True):
        names.setdefault(node, line.target)
    builder = _Builder()
    numbers = [0] * len(graph.nodes)
    inputs = range(len(program.inputs))
    for i in (*inputs, *(i for i in graph.live if i not in inputs)):
        node = graph.nodes[i]
        if node.function in PRIMITIVES:
            numbers[i] = builder.operation(node.function, tuple(numbers[arg] for arg in node.args), names.get(i, ""))
        else:
            numbers[i] = builder.add(node)
    living = graph.live_states
    return builder.form(
        [program.states[k] for k in living], [numbers[graph.next_states[k]] for k in living], numbers[graph.update]
    )


def rewrite(
    form: Form, changes: Mapping[int, Expression], following: Mapping[int, Expression] | None = None
) -> Form | None:
    """The form in which each node of `changes` is another expression, and whose states get other next values.

    Args:
        form: a form.
        changes: the expression by the node that it replaces.
        following: the next value by the position of a state, as an expression over the nodes as changed; those that
            are missing stay.

    Returns:
        None if an expression has types that a function does not take or a number that is not finite, or if the change
        of a type could be noticed: by a function that is not elementwise, or in what is returned.
    """
    builder = _Builder()
    for node in form.nodes:
        if node.function.startswith("input:"):
            builder.add(node)
    numbers: list[int] = []
    reshaped = False
    touched = set(form.touched)
    try:
        for i, node in enumerate(form.nodes):
            if i in changes or not touched.isdisjoint(node.args):
                touched.add(i)
            if i in changes:
                numbers.append(builder.expression(changes[i], numbers, form.names[i]))
                if broadcast((builder.nodes[numbers[i]].type, node.type)) != node.type:
                    return None
            elif is_operation(node):
                args = tuple(numbers[arg] for arg in node.args)
                if any(
                    builder.nodes[new].type != form.nodes[old].type for new, old in zip(args, node.args, strict=True)
                ):
                    if PRIMITIVES[node.function].scope != "elementwise":
                        return None
                    reshaped |= node.function not in KEEPS_BITS
                numbers.append(builder.operation(node.function, args, form.names[i]))
            else:
                numbers.append(builder.add(node))
        nexts = [
            builder.expression(following[k], numbers) if following and k in following else numbers[node]
            for k, node in enumerate(form.following)
        ]
    except TypeMismatch:
        return None
    untouched = {number for i, number in enumerate(numbers) if i not in touched}
    result = builder.form(form.states, nexts, numbers[form.update], untouched)
    expected = (TREE, *(STATE_TYPES[state.shape] for state in result.states))
    fits = all(result.nodes[node].type == kind for node, kind in zip(result.roots, expected, strict=True))
    return replace(result, reshaped=reshaped) if fits else None


def with_expressions(form: Form, expressions: Sequence[Expression]) -> tuple[Form, list[int]]:
    """The form with expressions over its nodes that nothing uses, at its end, and their numbers."""
    builder = _Builder()
    for node, name in zip(form.nodes, form.names, strict=True):
        builder.add(node, name)
    numbers = [builder.expression(expression, range(len(form.nodes))) for expression in expressions]
    longer = Form(tuple(builder.nodes), tuple(builder.names), form.states, form.present, form.following, form.update)
    return longer, numbers


class _Builder:
    """Nodes under construction, each expression once."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.names: list[str] = []
        self.index: dict[tuple[object, ...], int] = {}

    def add(self, node: Node, name: str = "") -> int:
        """The number of a node, which is new unless there is an equal one."""
        function, args, literal, _ = node
        if len(args) == 2 and args[1] < args[0] and function in ANY_ORDER:
            args = (args[1], args[0])
        # As keys, 0.0 and -0.0 would be equal.
        key = (function, args, None if literal is None else repr(literal))
        number = self.index.setdefault(key, len(self.nodes))
        if number == len(self.nodes):
            self.nodes.append(node)
            self.names.append(name)
        elif not self.names[number]:
            self.names[number] = name
        return number

    def operation(self, function: str, args: tuple[int, ...], name: str = "") -> int:
        """The number of a function of nodes.

        Raises:
            TypeMismatch: the function does not take values of their types.
        """
        return self.add(Node(function, args, None, _type(function, *[self.nodes[arg].type for arg in args])), name)

    def expression(self, expression: Expression, numbers: Sequence[int], name: str = "") -> int:
        """The number of an expression.

        Args:
            expression: an expression over nodes of an older form.
            numbers: the new number of each of these nodes.
            name: of the node that is computed last.

        Raises:
            TypeMismatch: a function does not take values of their types, or a literal is not finite.
        """
        if isinstance(expression, int):
            return numbers[expression]
        if isinstance(expression, float):
            if not isfinite(expression):
                raise TypeMismatch(f"expected a finite number, got {expression}")
            return self.add(literal_node(expression))
        function, *args = expression
        assert isinstance(function, str)
        if function.startswith("input:"):
            return self.index[(function, (), None)]
        return self.operation(function, tuple(self.expression(arg, numbers) for arg in args), name)  # type: ignore[arg-type]

    def form(
        self, states: Sequence[State], following: Sequence[int], update: int, untouched: Collection[int] = ()
    ) -> Form:
        """The form of the nodes added so far that the update depends on, in its step or through states. Other nodes
        and states are left out.

        Args:
            states: all states.
            following: for each state the number of its next value.
            update: the number of the update.
            untouched: the numbers of nodes that no rewriting has changed; the form lists the others in `touched`.
        """
        nodes = self.nodes
        next_of = {
            self.index[(f"input:{state.name}", (), None)]: node for state, node in zip(states, following, strict=True)
        }
        roots = [self.index[(f"input:{state.name}", (), None)] for state in states if state.shape == "readout"]
        live = {update, *roots}
        stack = [update, *roots]
        while stack:
            node = stack.pop()
            for arg in (next_of[node],) if node in next_of else nodes[node].args:
                if arg not in live:
                    live.add(arg)
                    stack.append(arg)
        kept = sorted(live)
        number = dict(zip(kept, range(len(kept)), strict=True))
        living = [(state, at) for state, at in zip(states, next_of, strict=True) if at in live]
        return Form(
            nodes=tuple(nodes[i]._replace(args=tuple(number[arg] for arg in nodes[i].args)) for i in kept),
            names=tuple(self.names[i] for i in kept),
            states=tuple(state for state, _ in living),
            present=tuple(number[at] for _, at in living),
            following=tuple(number[next_of[at]] for _, at in living),
            update=number[update],
            touched=frozenset(number[i] for i in kept if i not in untouched),
        )


@lru_cache(maxsize=100_000)
def _type(function: str, *types: Type) -> Type:
    """The type of a function's value."""
    return PRIMITIVES[function].rule(types)
