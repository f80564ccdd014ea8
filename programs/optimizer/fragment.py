"""Fragments: computations that are put into a program as a whole, with their states.

The statements of a fragment go before the statement that uses its result. They get new names, and its states are added
to those of the program. A value of the program that no name stands for any more at that place gets a second name where
it is computed (`x1 = lr`), so that a fragment may read any value.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from germline.programs.optimizer.graph import Graph, live_program, trace
from germline.programs.optimizer.program import (
    OPTIONAL_INPUTS,
    Argument,
    Program,
    State,
    Statement,
    unused_names,
)
from germline.programs.optimizer.types import SCALAR, STATE_TYPES


@dataclass(frozen=True, slots=True)
class Hole:
    """A value of the program that receives the fragment: an input, or a value by the name of its binding."""

    name: str


@dataclass(frozen=True, slots=True)
class Value:
    """The result of an operation of the fragment."""

    operation: int


@dataclass(frozen=True, slots=True)
class OldState:
    """The present value of a state of the fragment."""

    state: int


Operand = float | Hole | Value | OldState


class Operation(NamedTuple):
    """A function with its operands; values are those of earlier operations."""

    function: str
    operands: tuple[Operand, ...]


@dataclass(frozen=True, slots=True)
class Fragment:
    """A computation with a result.

    Attributes:
        operations: in order.
        result: the operand that the program uses.
        shapes: the shape of each state, a key of `types.STATE_TYPES`.
        next_states: the next value of each state.
    """

    operations: tuple[Operation, ...]
    result: Operand
    shapes: tuple[str, ...] = ()
    next_states: tuple[Operand, ...] = ()


class Place(NamedTuple):
    """A use of a value: an argument of a statement or, if `statement` is the number of statements, of the return line.

    `node` is the value, as an index in the nodes of the program's graph.
    """

    statement: int
    argument: int
    node: int


class Limits(NamedTuple):
    """What a program that receives a fragment may have.

    Attributes:
        statements, states: the largest numbers of them.
        shapes: the shapes that a state may get from the value that it keeps, keys of `types.STATE_TYPES`.
    """

    statements: int
    states: int
    shapes: Sequence[str] = tuple(STATE_TYPES)


def live_places(program: Program, graph: Graph) -> list[Place]:
    """The places at which live statements and the return line use variables, in the order of the text."""
    live = set(graph.live)
    scope = _inputs(program)
    places = []
    for i, (line, node) in enumerate(zip(program.body, graph.statements, strict=True)):
        if node in live and line.function != "=":
            places += [Place(i, j, scope[arg]) for j, arg in enumerate(line.args) if isinstance(arg, str)]
        scope[line.target] = node
    returned = (0, *(1 + k for k in graph.live_states))
    return places + [Place(len(program.body), j, scope[program.returns[j]]) for j in returned]


def scaled_updates(graph: Graph) -> list[int]:
    """The update and what it is a multiple of, as nodes: each but the last is the next one times a scalar such as the
    learning rate. The last is the direction of the update."""
    nodes, path = graph.nodes, [graph.update]
    while (node := nodes[path[-1]]).function == "*":
        trees = [arg for arg in node.args if nodes[arg].type != SCALAR]
        if len(trees) != 1:
            break
        path += trees
    return path


def visible_nodes(program: Program, graph: Graph, statement: int) -> dict[str, int]:
    """The node of each name that has a value before a statement."""
    scope = _inputs(program)
    scope.update(zip((line.target for line in program.body[:statement]), graph.statements, strict=False))
    return scope


def recipients(program: Program, graph: Graph, limits: Limits) -> Iterator[tuple[Program, Graph]]:
    """The program if it has room for a statement and a state, and then, if there are dead parts, the program without
    them, each with its graph."""
    if len(program.body) < limits.statements and len(program.states) < limits.states:
        yield program, graph
    live = live_program(program, graph)
    if live != program:
        yield live, trace(live)
    elif len(program.body) >= limits.statements or len(program.states) >= limits.states:
        yield program, graph  # a fragment may have no statement or no state


def splice(
    program: Program, graph: Graph, place: Place, fragment: Fragment, bindings: Mapping[str, int], limits: Limits
) -> Program | None:
    """The program that uses the result of a fragment at a place.

    Args:
        program, graph: a valid program and its graph.
        place: where the result is used.
        fragment: the computation.
        bindings: the node of each hole that is not named after an input (`w`, `g`, `lr`, `step`, …). The program gets
            the optional inputs that it lacks.
        limits: of the program's size.

    Returns:
        A program that may be invalid, if the types do not agree. None if it would be larger than the limits, or if a
        number would have to be returned.
    """
    work = _Splice(program, graph, place, bindings)
    states = [State(work.new_name("s"), shape) for shape in fragment.shapes]
    for operation in fragment.operations:
        work.add(operation.function, [work.argument(operand, states) for operand in operation.operands])
    result = work.argument(fragment.result, states)
    next_values = []
    for operand in fragment.next_states:
        value = work.argument(operand, states)
        # Only the names of the fragment keep their values until the return line.
        next_values.append(value if isinstance(operand, Value) else work.add("=", [value]))
    body = work.body(result)
    if len(body) > limits.statements or (states and len(program.states) + len(states) > limits.states):
        return None
    returns: list[Argument] = list(program.returns)
    if place.statement == len(program.body):
        returns[place.argument] = result
    names = [name for name in (*returns, *next_values) if isinstance(name, str)]
    if len(names) < len(returns) + len(next_values) or work.missing & work.used:
        return None
    optional = dict.fromkeys((*program.optional_inputs, *sorted(work.missing)), True)
    return Program(body, (*program.states, *states), returns=tuple(names), **optional)


@dataclass
class _Splice:
    """A fragment on its way into a program: its statements so far, and second names of hidden values."""

    program: Program
    graph: Graph
    place: Place
    bindings: Mapping[str, int]
    statements: list[Statement] = field(default_factory=list)
    aliases: list[tuple[int, Statement]] = field(default_factory=list)
    """Each with the position of the statement that it precedes."""
    missing: set[str] = field(default_factory=set)
    """Optional inputs that the fragment reads and the program lacks."""

    def __post_init__(self) -> None:
        program = self.program
        self.used = {*program.inputs, *program.returns, *(line.target for line in program.body)}
        self.inputs = _inputs(program)
        self.names: dict[int, str] = {}
        for name, node in visible_nodes(program, self.graph, self.place.statement).items():
            self.names.setdefault(node, name)

    def new_name(self, prefix: str) -> str:
        """The first of x1, x2, … that neither the program nor the fragment uses, for the prefix x."""
        name = next(unused_names(prefix, self.used))
        self.used.add(name)
        return name

    def add(self, function: str, args: Sequence[Argument]) -> str:
        """Appends a statement to the fragment's, and returns its new target."""
        self.statements.append(Statement(self.new_name("x"), function, tuple(args)))
        return self.statements[-1].target

    def argument(self, operand: Operand, states: Sequence[State]) -> Argument:
        """The name or literal that stands for an operand at the place."""
        if isinstance(operand, float):
            return operand
        if isinstance(operand, Value):
            return self.statements[operand.operation].target
        if isinstance(operand, OldState):
            return states[operand.state].name
        node = self.bindings.get(operand.name, self.inputs.get(operand.name))
        if node is None:
            assert operand.name in OPTIONAL_INPUTS
            self.missing.add(operand.name)
            return operand.name
        if self.graph.nodes[node].function == "literal":
            literal = self.graph.nodes[node].literal
            assert literal is not None
            return literal
        return self.names.get(node) or self._alias(node)

    def _alias(self, node: int) -> str:
        """A second name for a value whose own name is assigned again before the place."""
        name = self.new_name("x")
        if node in self.inputs.values():
            position, source = 0, self.program.inputs[node]
        else:
            position = self.graph.statements.index(node) + 1
            source = self.program.body[position - 1].target
        self.aliases.append((position, Statement(name, "=", (source,))))
        self.names[node] = name
        return name

    def body(self, result: Argument) -> tuple[Statement, ...]:
        """The statements of the program with the fragment, whose result is used at the place."""
        place, lines = self.place, []
        for i, line in enumerate((*self.program.body, None)):
            lines += [alias for position, alias in self.aliases if position == i]
            if i == place.statement:
                lines += self.statements
                if line is not None:
                    args = (*line.args[: place.argument], result, *line.args[place.argument + 1 :])
                    line = Statement(line.target, line.function, args)
            if line is not None:
                lines.append(line)
        return tuple(lines)


def _inputs(program: Program) -> dict[str, int]:
    """The node of each input: the first nodes of a graph are the inputs, in order."""
    return {name: node for node, name in enumerate(program.inputs)}
