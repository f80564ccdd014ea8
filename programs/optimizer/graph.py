"""Abstract execution: what a program computes, with types, and which of its statements matter.

A program that passes is valid for every model. One that does not is rejected with a typed reason before any training.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from operator import is_
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

    A node comes after those that it depends on. `statements[i]` is the node of the program's i-th statement. `update`
    and `next_states` are the returned nodes, `state_nodes` those by which the states enter. `live` holds, ascending,
    the nodes that the update depends on, at this step or a later one (through states that are read again). Nodes may
    be left over from a parent; they are not live.
    """

    nodes: tuple[Node, ...]
    statements: tuple[int, ...]
    update: int
    next_states: tuple[int, ...]
    state_nodes: tuple[int, ...]
    live: tuple[int, ...]

    @property
    def live_states(self) -> tuple[int, ...]:
        """Positions, among the program's states, of those that influence an update."""
        live = set(self.live)
        return tuple(i for i, node in enumerate(self.state_nodes) if node in live)

    @property
    def live_statements(self) -> tuple[int, ...]:
        """Positions, among the program's statements, of those that influence an update."""
        live = set(self.live)
        return tuple(i for i, node in enumerate(self.statements) if node in live)


def trace(program: Program, parent: tuple[Program, Graph] | None = None) -> Graph:
    """Abstract execution of `program`.

    Args:
        program: any program.
        parent: a program that shares statements with it, as the same objects, and its graph. Statements at the
            beginning and at the end of both keep their nodes, unless what they take has changed. What lives is the
            same as without a parent but for the numbers of the nodes; it is the same tuple if nothing that lives has
            changed.

    Raises:
        InvalidProgram: a name is unknown where it is used, a function gets types that it does not take, or what is
            returned has the wrong type.
    """
    if parent is not None and _follows(program, *parent):
        return _follow(program, *parent)
    inputs = program.inputs
    work = _Work([_input(name, program.states) for name in inputs], dict(zip(inputs, range(len(inputs)), strict=True)))
    state_nodes = tuple(work.scope[state.name] for state in program.states)
    statements = [work.execute(i, line) for i, line in enumerate(program.body)]
    return _graph(program, work, statements, state_nodes)


class _Work:
    """A graph that grows: its nodes, and what each name stands for so far."""

    __slots__ = ("_literals", "nodes", "scope")

    def __init__(self, nodes: list[Node], scope: dict[str, int]) -> None:
        self.nodes = nodes
        self.scope = scope
        self._literals: dict[float, int] | None = None

    def execute(self, position: int, line: Statement) -> int:
        """The node of a statement, under its target's name from now on."""
        nodes, find = self.nodes, self.scope.get
        args: list[Any] = [find(arg) for arg in line.args]  # type: ignore[arg-type]
        if None in args:
            args = [self._argument(arg, position, line) for arg in line.args]
        if line.function == "=":
            node: int = args[0]
        else:
            node = len(nodes)
            question = (line.function, *[nodes[arg][3] for arg in args])
            kind = _KINDS.get(question) or _infer(question)
            if isinstance(kind, str):
                raise _reject("type", position, line, kind)
            literal = None if args else PRIMITIVES[line.function].run()
            nodes.append(_new(Node, (line.function, tuple(args), literal, kind)))
        self.scope[line.target] = node
        return node

    def _argument(self, arg: Argument, position: int, line: Statement) -> int:
        """The node of a name or a literal, which is added if it is new."""
        nodes = self.nodes
        if isinstance(arg, str):
            if arg not in self.scope:
                raise _reject("unknown name", position, line, f"{arg} is used before it is assigned")
            return self.scope[arg]
        if not arg:
            # 0.0 and -0.0 are equal as keys.
            for i, node in enumerate(nodes):
                if node.function == "literal" and repr(node.literal) == repr(arg):
                    return i
        elif self._literals is None:
            self._literals = {node[2]: i for i, node in enumerate(nodes) if node[2] and node[0] == "literal"}
        if arg and self._literals is not None:
            known = self._literals.setdefault(arg, len(nodes))
            if known < len(nodes):
                return known
        nodes.append(_new(Node, ("literal", (), arg, SCALAR)))
        return len(nodes) - 1


def _follows(program: Program, parent: Program, known: Graph) -> bool:
    """Whether a graph can be made from the parent's; not if that has gathered many nodes, most of them left over."""
    few = len(known.nodes) <= 3 * len(program.body) + 32
    return few and program.states == parent.states and program.step == parent.step


def _follow(program: Program, parent: Program, known: Graph) -> Graph:
    """The graph of a program of which a parent with the same inputs is traced.

    `changed` are the names that stand, at the place reached, for another node than in the parent there.
    """
    body, old = program.body, parent.body
    head = _shared(body, old)
    tail = _shared(body[head:][::-1], old[head:][::-1])
    inputs = program.inputs
    work = _Work(list(known.nodes), dict(zip(inputs, range(len(inputs)), strict=True)))
    scope, execute = work.scope, work.execute
    statements = list(known.statements[:head])
    scope.update(zip([line.target for line in body[:head]], statements, strict=True))

    end = len(body) - tail
    changed = {line.target for line in (*body[head:end], *old[head : len(old) - tail])}
    statements += [execute(i, body[i]) for i in range(head, end)]
    untouched = changed.isdisjoint
    rest, nodes = body[end:], known.statements[len(old) - tail :]
    if untouched(chain.from_iterable([line.args for line in rest])):
        # Most often: what has changed is dead.
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
        return Graph(
            tuple(work.nodes), tuple(statements), known.update, known.next_states, known.state_nodes, known.live
        )
    return _graph(program, work, statements, known.state_nodes)


def _shared(body: Sequence[Statement], other: Sequence[Statement]) -> int:
    """How many statements both begin with, as the same objects."""
    same = list(map(is_, body, other))
    return same.index(False) if False in same else len(same)


def _graph(program: Program, work: _Work, statements: Sequence[int], state_nodes: tuple[int, ...]) -> Graph:
    """The graph when all statements are executed: checks what is returned, and finds what lives."""
    nodes, scope = work.nodes, work.scope
    wanted = [TREE, *(STATE_TYPES[state.shape] for state in program.states)]
    for position, (name, kind) in enumerate(zip(program.returns, wanted, strict=True)):
        if name not in scope:
            raise InvalidProgram("unknown name", f"return line: {name} is never assigned")
        got = nodes[scope[name]].type
        if got != kind:
            what = f"the state {program.states[position - 1].name}" if position else "the update"
            raise InvalidProgram("return type", f"return line: expected {name} ({what}) to be {kind}, got {got}")
    update, *next_states = (scope[name] for name in program.returns)
    live = _live(nodes, update, dict(zip(state_nodes, next_states, strict=True)))
    return Graph(tuple(nodes), tuple(statements), update, tuple(next_states), state_nodes, live)


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
