"""Abstract execution: what a program computes, with types, and which of its statements matter.

A program that passes is valid for every model. One that does not is rejected with a typed reason before any training.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from germline.programs.optimizer.primitives import PRIMITIVES
from germline.programs.optimizer.program import Argument, InvalidProgram, Program, State, Statement
from germline.programs.optimizer.types import SCALAR, STATE_TYPES, TREE, Type, TypeMismatch


class Node(NamedTuple):
    """A value: an input (`function` is `input:NAME`), a number (`literal`), or a function of earlier nodes.

    A number is a literal of the text (`function` is `literal`) or a constant of the language, such as `get_pi`.
    """

    function: str
    args: tuple[int, ...]
    literal: float | None
    type: Type


_new = tuple.__new__
"""Makes a Node without the detour through its constructor: half a search's breeding is spent in `trace`."""


@dataclass(frozen=True, slots=True)
class Graph:
    """A program in single-assignment form.

    `nodes` are in the order of computation. `statements[i]` is the node of the program's i-th statement and `before[i]`
    the number of nodes before it. `update` and `next_states` are the returned nodes, `state_nodes` those by which the
    states enter. `live` holds, ascending, the nodes that the update depends on, at this step or a later one (through
    states that are read again).
    """

    nodes: tuple[Node, ...]
    statements: tuple[int, ...]
    before: tuple[int, ...]
    update: int
    next_states: tuple[int, ...]
    state_nodes: tuple[int, ...]
    live: tuple[int, ...]

    @property
    def live_states(self) -> tuple[int, ...]:
        """Positions, among the program's states, of those that influence an update."""
        return tuple(i for i, node in enumerate(self.state_nodes) if node in set(self.live))

    @property
    def live_statements(self) -> tuple[int, ...]:
        """Positions, among the program's statements, of those that influence an update."""
        live = set(self.live)
        return tuple(i for i, node in enumerate(self.statements) if node in live)


def trace(program: Program, parent: tuple[Program, Graph] | None = None) -> Graph:
    """Abstract execution of `program`.

    Args:
        program: any program.
        parent: a traced program with the same inputs. What is known of the statements that both begin with is not
            worked out again; the result is the same.

    Raises:
        InvalidProgram: a name is unknown where it is used, a function gets types that it does not take, or what is
            returned has the wrong type.
    """
    states = program.states
    inputs = program.inputs
    if parent is not None and states == parent[0].states and program.step == parent[0].step:
        shared, nodes, statements, before = _beginning(program, *parent)
    else:
        shared, nodes, statements, before = 0, [_input(name, states) for name in inputs], [], []
    # Names and literals alike, each with its node. Zero is never in it: 0.0 and -0.0 are equal as keys.
    scope: dict[str | float, int] = {name: node for node, name in enumerate(inputs)}
    state_nodes = tuple(scope[state.name] for state in states)
    scope.update(zip([line.target for line in program.body[:shared]], statements, strict=True))
    scope.update([(node[2], i) for i, node in enumerate(nodes) if node[2] and node[0] == "literal"])

    find = scope.get

    for position in range(shared, len(program.body)):
        line = program.body[position]
        before.append(len(nodes))
        args: list[Any] = [find(arg) for arg in line.args]
        if None in args:
            args = [_argument(arg, nodes, scope, position, line) for arg in line.args]
        if line.function == "=":
            node = args[0]
        else:
            node = len(nodes)
            question = (line.function, *[nodes[arg][3] for arg in args])
            kind = _KINDS.get(question) or _infer(question)
            if isinstance(kind, str):
                raise _reject("type", position, line, kind)
            literal = None if args else PRIMITIVES[line.function].run()
            nodes.append(_new(Node, (line.function, tuple(args), literal, kind)))
        scope[line.target] = node
        statements.append(node)

    returned = _returned(program, nodes, scope)
    live = _live(nodes, returned[0], dict(zip(state_nodes, returned[1:], strict=True)))
    return Graph(tuple(nodes), tuple(statements), tuple(before), returned[0], returned[1:], state_nodes, live)


def _beginning(program: Program, parent: Program, known: Graph) -> tuple[int, list[Node], list[int], list[int]]:
    """How many statements both begin with, as the same objects, and their nodes, statements and counts."""
    pairs = zip(program.body, parent.body, strict=False)
    shared = next((i for i, (a, b) in enumerate(pairs) if a is not b), min(len(program.body), len(parent.body)))
    end = known.before[shared] if shared < len(known.before) else len(known.nodes)
    return shared, list(known.nodes[:end]), list(known.statements[:shared]), list(known.before[:shared])


def _argument(arg: Argument, nodes: list[Node], scope: dict[str | float, int], position: int, line: Statement) -> int:
    """The node of a name or a literal, which is added if it is new."""
    if isinstance(arg, str):
        if arg not in scope:
            raise _reject("unknown name", position, line, f"{arg} is used before it is assigned")
        return scope[arg]
    if arg in scope:
        return scope[arg]
    if not arg:
        for i, node in enumerate(nodes):
            if node.function == "literal" and repr(node.literal) == repr(arg):
                return i
    nodes.append(_new(Node, ("literal", (), arg, SCALAR)))
    if arg:
        scope[arg] = len(nodes) - 1
    return len(nodes) - 1


def _input(name: str, states: Sequence[State]) -> Node:
    shapes = {state.name: state.shape for state in states}
    return Node(f"input:{name}", (), None, SCALAR if name in ("lr", "step") else STATE_TYPES[shapes.get(name, "tree")])


_KINDS: dict[tuple[object, ...], Type | str] = {}
"""The types of results, or why there are none: a search asks for the same few over and over."""
_REMEMBERED_KINDS = 100_000


def _infer(key: tuple[Any, ...]) -> Type | str:
    """The type of what a function, the first of `key`, makes of the types that follow."""
    function, *types = key
    if len(_KINDS) >= _REMEMBERED_KINDS:
        _KINDS.clear()
    try:
        _KINDS[key] = PRIMITIVES[function].rule(tuple(types))
    except TypeMismatch as mismatch:
        _KINDS[key] = str(mismatch)
    return _KINDS[key]


def _returned(program: Program, nodes: list[Node], scope: Mapping[str | float, int]) -> tuple[int, ...]:
    wanted = [TREE, *(STATE_TYPES[state.shape] for state in program.states)]
    for position, (name, kind) in enumerate(zip(program.returns, wanted, strict=True)):
        if name not in scope:
            raise InvalidProgram("unknown name", f"return line: {name} is never assigned")
        got = nodes[scope[name]].type
        if got != kind:
            what = f"the state {program.states[position - 1].name}" if position else "the update"
            raise InvalidProgram("return type", f"return line: expected {name} ({what}) to be {kind}, got {got}")
    return tuple(scope[name] for name in program.returns)


def _live(nodes: list[Node], update: int, next_value: dict[int, int]) -> tuple[int, ...]:
    """Everything reachable backwards from the update, where reading a state reaches what the last step returned for it.

    This is the least fixpoint over the states: one that is returned but overwritten before it is read stays out.
    """
    seen = {update}
    stack = [update]
    while stack:
        node = stack.pop()
        before = nodes[node].args if node not in next_value else (next_value[node],)
        for arg in before:
            if arg not in seen:
                seen.add(arg)
                stack.append(arg)
    return tuple(sorted(seen))


def _reject(reason: str, position: int, line: Statement, message: str) -> InvalidProgram:
    where = "copy" if line.function == "=" else line.function
    return InvalidProgram(reason, f"statement {position + 1} ({line.target} = {where}): {message}")


def live_program(program: Program, graph: Graph | None = None) -> Program:
    """The program without its dead statements and states; its updates are the same."""
    graph = graph or trace(program)
    live = set(graph.live)
    keep = graph.live_states
    return Program(
        body=tuple(line for line, node in zip(program.body, graph.statements, strict=True) if node in live),
        states=tuple(program.states[i] for i in keep),
        step=program.step and program.inputs.index("step") in live,
        returns=(program.returns[0], *(program.returns[1 + i] for i in keep)),
    )
