"""Programs written in longer ways that compute the same."""

from collections.abc import Callable
from dataclasses import replace

from germline.programs.optimizer import Program, Statement
from germline.programs.optimizer.graph import trace
from germline.programs.optimizer.primitives import PRIMITIVES
from germline.programs.optimizer.program import Argument, State

Lines = list[Statement]


def single_assignment(program: Program) -> Program:
    """The program in which every statement has a name of its own."""
    names: dict[str, str] = {}
    body = []
    for i, line in enumerate(program.body):
        args = tuple(names.get(arg, arg) if isinstance(arg, str) else arg for arg in line.args)
        names[line.target] = f"s{i}"
        body.append(Statement(f"s{i}", line.function, args))
    return replace(program, body=tuple(body), returns=tuple(names.get(name, name) for name in program.returns))


def renamed(program: Program) -> Program:
    """Other names of statements and states."""
    program = single_assignment(program)
    names = {state.name: f"q{k}" for k, state in enumerate(program.states)}
    return replace(
        program,
        body=tuple(
            Statement(line.target, line.function, tuple(_renamed(arg, names) for arg in line.args))
            for line in program.body
        ),
        states=tuple(State(names[state.name], state.shape) for state in program.states),
        returns=tuple(names.get(name, name) for name in program.returns),
    )


def _renamed(arg: Argument, names: dict[str, str]) -> Argument:
    return names.get(arg, arg) if isinstance(arg, str) else arg


def commuted(program: Program) -> Program:
    """The arguments of commutative functions the other way round."""
    body = tuple(
        Statement(line.target, line.function, line.args[::-1]) if PRIMITIVES[line.function].commutative else line
        for line in program.body
    )
    return replace(program, body=body)


def with_dead_code(program: Program) -> Program:
    """Dead statements, and a state that is never read."""
    program = single_assignment(program)
    body: Lines = []
    for i, line in enumerate(program.body):
        body += [line, Statement(f"d{i}", "cosh", (line.target,))]
    body.append(Statement("d", "interp", ("g", "unread", 0.5)))
    return replace(
        program, body=tuple(body), states=(*program.states, State("unread")), returns=(*program.returns, "d")
    )


def with_split_constants(program: Program) -> Program:
    """Each literal computed from two others."""
    program = single_assignment(program)
    body: Lines = []
    for i, line in enumerate(program.body):
        args: list[Argument] = []
        for j, arg in enumerate(line.args):
            if isinstance(arg, float):
                body.append(Statement(f"c{i}a{j}", "*", (arg, 4.0)))
                body.append(Statement(f"c{i}b{j}", "*", (f"c{i}a{j}", 0.25)))
            args.append(f"c{i}b{j}" if isinstance(arg, float) else arg)
        body.append(Statement(line.target, line.function, tuple(args)))
    return replace(program, body=tuple(body))


def with_identities(program: Program) -> Program:
    """Every value negated twice, and the update multiplied by one."""
    program = single_assignment(program)
    body: Lines = []
    names: dict[str, str] = {}
    for i, line in enumerate(program.body):
        args = tuple(_renamed(arg, names) for arg in line.args)
        body.append(Statement(f"a{i}", line.function, args))
        body.append(Statement(f"b{i}", "negative", (f"a{i}",)))
        body.append(Statement(f"e{i}", "negative", (f"b{i}",)))
        names[line.target] = f"e{i}"
    returns = tuple(names.get(name, name) for name in program.returns)
    body.append(Statement("last", "*", (returns[0], 1.0)))
    return replace(program, body=tuple(body), returns=("last", *returns[1:]))


def with_zero_state(program: Program) -> Program:
    """A state that stays zero, added to the update."""
    program = single_assignment(program)
    body = (*program.body, Statement("z1", "*", ("zero", "lr")), Statement("z2", "+", (program.returns[0], "z1")))
    return replace(
        program, body=body, states=(*program.states, State("zero")), returns=("z2", *program.returns[1:], "z1")
    )


def with_twin_states(program: Program) -> Program:
    """Each state twice: what updates a state reads it, everything else its twin."""
    program = single_assignment(program)
    names = {state.name: f"{state.name}_twin" for state in program.states}
    twins = {line.target: f"{line.target}t" for line in program.body}
    body: Lines = []
    for line in program.body:
        body.append(line)
        args = tuple(_renamed(arg, names | twins) for arg in line.args)
        body.append(Statement(twins[line.target], line.function, args))
    returns = [twins.get(name, name) for name in program.returns]
    return replace(
        program,
        body=tuple(body),
        states=(*program.states, *(State(names[state.name], state.shape) for state in program.states)),
        returns=(returns[0], *program.returns[1:], *(names.get(name, name) for name in returns[1:])),
    )


def with_copied_code(program: Program) -> Program:
    """Every statement again for every argument that reads it, as far as 200 statements go."""
    program = single_assignment(program)
    body: Lines = []
    for i, line in enumerate(program.body):
        args: list[Argument] = []
        for j, arg in enumerate(line.args):
            source = next((other for other in program.body[:i] if other.target == arg), None)
            if source is not None:
                body.append(Statement(f"k{i}x{j}", source.function, source.args))
            args.append(f"k{i}x{j}" if source is not None else arg)
        body.append(Statement(line.target, line.function, tuple(args)))
    return replace(program, body=tuple(body))


def with_written_out_functions(program: Program) -> Program:
    """Averages, squares and literal factors of two steps, written out."""
    program = single_assignment(program)
    body: Lines = []
    for i, line in enumerate(program.body):
        first, *rest = line.args
        if line.function == "square":
            body.append(Statement(line.target, "*", (first, first)))
        elif line.function == "interp" and isinstance(rest[1], float):
            body.append(Statement(f"o{i}", "*", (1.0 - rest[1], first)))
            body.append(Statement(f"p{i}", "*", (rest[0], rest[1])))
            body.append(Statement(line.target, "+", (f"p{i}", f"o{i}")))
        elif line.function == "*" and rest and isinstance(rest[0], float):
            body.append(Statement(f"o{i}", "*", (first, rest[0] * 8.0)))
            body.append(Statement(line.target, "*", (f"o{i}", 0.125)))
        else:
            body.append(line)
    return replace(program, body=tuple(body))


DISGUISES: dict[str, Callable[[Program], Program]] = {
    function.__name__.replace("_", " "): function
    for function in (
        renamed,
        commuted,
        with_dead_code,
        with_split_constants,
        with_identities,
        with_zero_state,
        with_twin_states,
        with_copied_code,
        with_written_out_functions,
    )
}
"""Longer ways to write a program, by name."""


def disguised(program: Program, name: str) -> Program:
    """A program in a longer way, checked to be valid."""
    result = DISGUISES[name](program)
    trace(result)
    return result
