"""Abstract execution: the graph of values that a program computes, their types, and which of them are live.

A program that passes is valid for every model. An invalid program raises InvalidProgram, whose `reason` is the class of
the mistake, before any training. Functions and attributes refer to a node by its index in `Graph.nodes`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from operator import is_
from typing import Any, NamedTuple

from germline.programs.optimizer.primitives import PRIMITIVES
from germline.programs.optimizer.program import OPTIONAL_INPUTS, Argument, InvalidProgram, Program, State, Statement
from germline.programs.optimizer.statement_place import statement_place
from germline.programs.optimizer.types import SCALAR, STATE_TYPES, TREE, Type, TypeMismatch


class Node(NamedTuple):
    """A value of a program.

    Attributes:
        function: `input:NAME` for an input, `literal` for a number in the text, else the name of a function.
        args: the indices of the arguments in `Graph.nodes`.
        literal: the number, for a literal or a constant of the language such as `get_pi`; None for other values.
        type: the type of the value.
    """

    function: str
    args: tuple[int, ...]
    literal: float | None
    type: Type


_new = tuple.__new__
"""Creates a Node without its constructor: half of the time of breeding is spent in `trace`."""


@dataclass(frozen=True, slots=True)
class Graph:
    """A program in single-assignment form.

    Attributes:
        nodes: the values; each comes after those it depends on. Some may be left over from the graph of a parent; they
            are not live.
        statements: the node of each statement of the program.
        update: the node of the update.
        next_states: the node of each state's next value.
        state_nodes: the node of each state's present value.
        live: ascending, the nodes that an update or the read-out depends on, in this step or, through the states, in a
            later step.
        readout: the position of the state that is the read-out; None without one.
    """

    nodes: tuple[Node, ...]
    statements: tuple[int, ...]
    update: int
    next_states: tuple[int, ...]
    state_nodes: tuple[int, ...]
    live: tuple[int, ...]
    readout: int | None = None

    @property
    def live_states(self) -> tuple[int, ...]:
        """Positions of the states that influence an update, or are the read-out."""
        live = set(self.live)
        return tuple(i for i, node in enumerate(self.state_nodes) if node in live)

    @property
    def live_statements(self) -> tuple[int, ...]:
        """Positions of the statements that influence an update."""
        live = set(self.live)
        return tuple(i for i, node in enumerate(self.statements) if node in live)

    def ancestors(self, node: int) -> set[int]:
        """The node and all nodes that it depends on within the step."""
        seen, stack = {node}, [node]
        while stack:
            for arg in self.nodes[stack.pop()].args:
                if arg not in seen:
                    seen.add(arg)
                    stack.append(arg)
        return seen


def trace(program: Program, parent: tuple[Program, Graph] | None = None) -> Graph:
    """The graph of `program`, by abstract execution.

    Args:
        program: any program.
        parent: a program that shares statements with it, as the same objects, and the parent's graph. The statements
            that are shared at the beginning and at the end keep their nodes, unless their arguments have changed.
            Except for the numbers of the nodes, the live nodes are the same as without a parent; `live` is the
            parent's own tuple if no live node has changed. None: the graph is built anew.

    Raises:
        InvalidProgram: a name is used before it is assigned, a function gets types that it does not take, or a
            returned value has the wrong type.
    """
    if parent is not None and _can_extend(program, *parent):
        return _extend(program, *parent)
    inputs = program.inputs
    scope = dict(zip(inputs, range(len(inputs)), strict=True))
    work = _Work(program, [_input(name, program.states) for name in inputs], scope)
    state_nodes = tuple(work.scope[state.name] for state in program.states)
    statements = [work.execute(i, line) for i, line in enumerate(program.body)]
    return _finish(program, work, statements, state_nodes)


class _Work:
    """A graph under construction: its nodes, and the node that each name stands for so far."""

    __slots__ = ("_literals", "nodes", "program", "scope")

    def __init__(self, program: Program, nodes: list[Node], scope: dict[str, int]) -> None:
        self.program = program
        self.nodes = nodes
        self.scope = scope
        self._literals: dict[float, int] | None = None

    def execute(self, position: int, line: Statement) -> int:
        """Binds the target of a statement to its node, and returns the node.

        The node is new; for a copy (`=`) it is the node of the argument.

        Raises:
            InvalidProgram: a name is used before it is assigned, or the function does not take the arguments' types.
        """
        nodes, find = self.nodes, self.scope.get
        args: list[Any] = [find(arg) for arg in line.args]  # type: ignore[arg-type]
        if None in args:
            args = [self._argument(arg, position) for arg in line.args]
        if line.function == "=":
            node: int = args[0]
        else:
            node = len(nodes)
            key = (line.function, *[nodes[arg][3] for arg in args])
            result = _RESULT_TYPES.get(key) or _infer(key)
            if isinstance(result, str):
                raise self._reject("type", position, result)
            literal = None if args else PRIMITIVES[line.function].run()
            nodes.append(_new(Node, (line.function, tuple(args), literal, result)))
        self.scope[line.target] = node
        return node

    def _argument(self, arg: Argument, position: int) -> int:
        """The node of a name or a literal; a new literal is added."""
        nodes = self.nodes
        if isinstance(arg, str):
            if arg not in self.scope:
                raise self._reject("unknown name", position, f"{arg} is used before it is assigned")
            return self.scope[arg]
        if not arg:
            # As keys, 0.0 and -0.0 would be equal.
            for i, node in enumerate(nodes):
                if node.function == "literal" and repr(node.literal) == repr(arg):
                    return i
        elif self._literals is None:
            self._literals = {node[2]: i for i, node in enumerate(nodes) if node[2] and node[0] == "literal"}
        if arg and self._literals is not None:
            existing = self._literals.setdefault(arg, len(nodes))
            if existing < len(nodes):
                return existing
        nodes.append(_new(Node, ("literal", (), arg, SCALAR)))
        return len(nodes) - 1

    def _reject(self, reason: str, position: int, message: str) -> InvalidProgram:
        """The error for a statement."""
        return InvalidProgram(reason, f"{statement_place(self.program, position)}: {message}")


def _can_extend(program: Program, parent: Program, graph: Graph) -> bool:
    """True if `_extend` applies: equal inputs, and a parent's graph with few left-over nodes."""
    few_nodes = len(graph.nodes) <= 3 * len(program.body) + 32
    equal = program.states == parent.states and program.optional_inputs == parent.optional_inputs
    return few_nodes and equal


def _extend(program: Program, parent: Program, graph: Graph) -> Graph:
    """The graph of a program, extending the graph of a parent with the same inputs."""
    body, old = program.body, parent.body
    head = _shared(body, old)
    tail = _shared(body[head:][::-1], old[head:][::-1])
    inputs = program.inputs
    work = _Work(program, list(graph.nodes), dict(zip(inputs, range(len(inputs)), strict=True)))
    scope, execute = work.scope, work.execute
    statements = list(graph.statements[:head])
    scope.update(zip([line.target for line in body[:head]], statements, strict=True))

    end = len(body) - tail
    # Names that stand for a different node at this place than in the parent.
    changed = {line.target for line in (*body[head:end], *old[head : len(old) - tail])}
    statements += [execute(i, body[i]) for i in range(head, end)]
    untouched = changed.isdisjoint
    rest, nodes = body[end:], graph.statements[len(old) - tail :]
    if untouched(chain.from_iterable([line.args for line in rest])):
        # The most frequent case: the changed statements are dead.
        targets = [line.target for line in rest]
        scope.update(zip(targets, nodes, strict=True))
        changed.difference_update(targets)
        statements += nodes
    else:
        for i, (line, node) in enumerate(zip(rest, nodes, strict=True), end):
            if untouched(line.args):
                scope[line.target] = node
                changed.discard(line.target)
                statements.append(node)
            else:
                statements.append(execute(i, line))
                changed.add(line.target)

    if program.returns == parent.returns and untouched(program.returns):
        kept = (graph.update, graph.next_states, graph.state_nodes, graph.live, graph.readout)
        return Graph(tuple(work.nodes), tuple(statements), *kept)
    return _finish(program, work, statements, graph.state_nodes)


def _shared(body: Sequence[Statement], other: Sequence[Statement]) -> int:
    """The length of the longest common beginning of two bodies, whose statements are compared by identity."""
    same = list(map(is_, body, other))
    return same.index(False) if False in same else len(same)


def _finish(program: Program, work: _Work, statements: Sequence[int], state_nodes: tuple[int, ...]) -> Graph:
    """The graph after all statements, with its live nodes.

    Raises:
        InvalidProgram: a returned name is never assigned, or its value has the wrong type.
    """
    nodes, scope = work.nodes, work.scope
    expected = [TREE, *(STATE_TYPES[state.shape] for state in program.states)]
    for position, (name, expected_type) in enumerate(zip(program.returns, expected, strict=True)):
        if name not in scope:
            raise InvalidProgram("unknown name", f"return line: {name} is never assigned")
        got = nodes[scope[name]].type
        if got != expected_type:
            role = f"the state {program.states[position - 1].name}" if position else "the update"
            raise InvalidProgram(
                "return type", f"return line: expected {name} ({role}) to be {expected_type}, got {got}"
            )
    update, *next_states = (scope[name] for name in program.returns)
    readout = program.readout
    roots = [update] if readout is None else [update, state_nodes[readout]]
    live = _live(nodes, roots, dict(zip(state_nodes, next_states, strict=True)))
    return Graph(tuple(nodes), tuple(statements), update, tuple(next_states), state_nodes, live, readout)


def _input(name: str, states: Sequence[State]) -> Node:
    """The node of the input with this name, which is `w`, `g`, a state, `lr` or an optional input."""
    shapes = {state.name: state.shape for state in states}
    scalar = name not in shapes and name in ("lr", *OPTIONAL_INPUTS)
    return Node(f"input:{name}", (), None, SCALAR if scalar else STATE_TYPES[shapes.get(name, "tree")])


_RESULT_TYPES: dict[tuple[object, ...], Type | str] = {}
"""Cache: the result type of a function and its argument types, or the message of its TypeMismatch."""
_MAX_RESULT_TYPES = 100_000


def _infer(key: tuple[Any, ...]) -> Type | str:
    """Computes and stores the entry of `_RESULT_TYPES` for `key`: a function and the types of its arguments."""
    function, *types = key
    if len(_RESULT_TYPES) >= _MAX_RESULT_TYPES:
        _RESULT_TYPES.clear()
    try:
        _RESULT_TYPES[key] = PRIMITIVES[function].rule(tuple(types))
    except TypeMismatch as mismatch:
        _RESULT_TYPES[key] = str(mismatch)
    return _RESULT_TYPES[key]


def _live(nodes: list[Node], roots: list[int], next_value: dict[int, int]) -> tuple[int, ...]:
    """The nodes that the roots depend on, in this step or through the states in a later step; ascending.

    This is the least fixpoint over the states: a state that is overwritten before it is read is not live.

    Args:
        nodes: all nodes.
        roots: the node of the update, and that of the read-out's present value.
        next_value: the node of each state's next value, by the node of its present value.
    """
    live = set(roots)
    stack = list(roots)
    while stack:
        node = stack.pop()
        dependencies = nodes[node].args if node not in next_value else (next_value[node],)
        for arg in dependencies:
            if arg not in live:
                live.add(arg)
                stack.append(arg)
    return tuple(sorted(live))


def live_program(program: Program, graph: Graph | None = None) -> Program:
    """The program without dead statements and states, and without optional inputs that are dead; its updates are the
    same. `graph` is its trace; None: it is traced."""
    graph = graph or trace(program)
    live = set(graph.live)
    live_states = graph.live_states
    return Program(
        body=tuple(line for line, node in zip(program.body, graph.statements, strict=True) if node in live),
        states=tuple(program.states[i] for i in live_states),
        returns=(program.returns[0], *(program.returns[1 + i] for i in live_states)),
        **{name: program.inputs.index(name) in live for name in program.optional_inputs},
    )
