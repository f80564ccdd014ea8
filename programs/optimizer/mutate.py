"""Variation of optimizer programs.

`insert`, `delete` and `modify` are the three operators of Chen et al. 2023: a new constant is drawn from N(0, 1), an
existing constant is multiplied by 2^a with a ~ N(0, 1), so that its sign never changes. `tune` and `rate` are ours:
they change several constants at once, or the learning rate alone, because a new structure cannot compete while its
constants still fit the old structure. `replace` exchanges a function. Operators that change whole groups of statements
are in `idioms` and `crossing`.

An operator returns None if it cannot apply: `insert` to a program of `max_statements`, others to one in which there is
nothing to change. Its child may be invalid; the caller checks and retries.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TypeVar

import numpy as np

from germline.programs.optimizer.graph import Graph, trace
from germline.programs.optimizer.primitives import PRIMITIVES
from germline.programs.optimizer.program import OPTIONAL_INPUTS, Argument, Program, Statement, unused_names
from germline.programs.optimizer.types import SCALAR, STATE_TYPES, TREE, Type, TypeMismatch

T = TypeVar("T")

P_CONSTANT = 0.25
"""Probability that a new argument is a constant rather than a variable, and that `modify` exchanges the two."""
P_NEW_NAME = 0.5
"""Probability that an inserted statement assigns a new name rather than an existing name."""
P_TUNE = 0.5
"""Probability that `tune` changes a constant."""
MAX_DRAWN = 10_000
"""Tries to draw a statement whose function takes the types of its arguments."""


def insert(program: Program, functions: Sequence[str], max_statements: int, rng: np.random.Generator) -> Program | None:
    """Inserts a random statement at a random position; None if the program has `max_statements` or more."""
    if len(program.body) >= max_statements:
        return None
    position = int(rng.random() * (len(program.body) + 1))
    line = random_statement(program, position, functions, rng)
    return program.with_body((*program.body[:position], line, *program.body[position:]))


def delete(program: Program, rng: np.random.Generator) -> Program | None:
    """Deletes a random statement; None if the program has none."""
    if not program.body:
        return None
    position = int(rng.random() * len(program.body))
    return program.with_body(program.body[:position] + program.body[position + 1 :])


def modify(program: Program, rng: np.random.Generator) -> Program | None:
    """Changes one argument of one statement; None if no statement has arguments.

    A constant is multiplied by 2^a, a ~ N(0, 1), or with probability 1/4 becomes a variable. A variable is replaced by
    a random variable that has a value at that statement, possibly by itself, or with probability 1/4 by a new constant.
    """
    arities = [len(line.args) for line in program.body]
    if not any(arities):
        return None
    i, j = 0, int(rng.random() * sum(arities))
    while j >= arities[i]:
        i, j = i + 1, j - arities[i]
    line = program.body[i]
    old = line.args[j]
    new: Argument
    if rng.random() < P_CONSTANT:
        new = _pick(_visible(program, i), rng) if isinstance(old, float) else new_constant(rng)
    elif isinstance(old, float):
        new = scaled(old, float(rng.standard_normal()))
    else:
        new = _pick(_visible(program, i), rng)
    args = (*line.args[:j], new, *line.args[j + 1 :])
    return _with_statement(program, i, Statement(line.target, line.function, args))


def tune(program: Program, rng: np.random.Generator) -> Program | None:
    """Multiplies each constant, with probability 1/2, by 2^a with an a ~ N(0, 1) of its own; at least one constant.

    None if there are no constants.
    """
    places = _constant_places(program)
    if not places:
        return None
    chosen = [place for place in places if rng.random() < P_TUNE] or [_pick(places, rng)]
    for i, j in chosen:
        program = _scale_constant(program, i, j, float(rng.standard_normal()))
    return program


def rate(program: Program, rng: np.random.Generator) -> Program | None:
    """Multiplies the constant of `rate_constant`, and with it the learning rate, by 2^a with a ~ N(0, 1.5²).

    None if no constant scales the whole update.
    """
    place = rate_constant(program)
    return None if place is None else _scale_constant(program, *place, float(rng.normal(0.0, 1.5)))


def with_rate(program: Program, value: float) -> Program:
    """The program with another number in the place of `rate_constant`, which it must have."""
    place = rate_constant(program)
    if place is None:
        raise ValueError("expected a program whose whole update a constant scales, got one without such a constant")
    return program.with_numbers({place: value})


def rate_constant(program: Program) -> tuple[int, int] | None:
    """The constant that scales the whole update: the position of its statement, and its position among the arguments.

    Of several such constants the one with the fewest products and negations between it and the update. None if no
    constant scales the whole update.
    """
    graph = trace(program)
    positions = {node: i for i, node in enumerate(graph.statements) if program.body[i].function != "="}
    queue = [graph.update]
    visited = set()
    while queue:
        node = queue.pop(0)
        i = positions.get(node)
        if i is None or node in visited or program.body[i].function not in ("*", "negative"):
            continue
        visited.add(node)
        for j, arg in enumerate(program.body[i].args):
            if isinstance(arg, float):
                return i, j
        queue += graph.nodes[node].args
    return None


def replace(program: Program, graph: Graph, functions: Sequence[str], rng: np.random.Generator) -> Program | None:
    """Exchanges the function of a live statement for another of `functions` with the same type: one that takes its
    arguments and returns a value of the type that it returns. None if no live statement has another such function.

    `graph` is the graph of the program, which has to be valid.
    """
    options = {}
    for i in graph.live_statements:
        node = graph.nodes[graph.statements[i]]
        line = program.body[i]
        types = tuple(graph.nodes[arg].type for arg in node.args)
        if line.function != "=" and (others := _same_type(line.function, types, node.type, tuple(functions))):
            options[i] = others
    if not options:
        return None
    i = _pick(list(options), rng)
    line = program.body[i]
    return _with_statement(program, i, Statement(line.target, _pick(options[i], rng), line.args))


@lru_cache(maxsize=10_000)
def _same_type(function: str, types: tuple[Type, ...], result: Type, functions: tuple[str, ...]) -> tuple[str, ...]:
    """Those of `functions`, without `function`, that take arguments of these types and return a value of `result`."""
    fitting = []
    for name in functions:
        if name != function and PRIMITIVES[name].arity == len(types):
            try:
                if PRIMITIVES[name].rule(types) == result:
                    fitting.append(name)
            except TypeMismatch:
                continue
    return tuple(fitting)


def random_program(template: Program, functions: Sequence[str], length: int, rng: np.random.Generator) -> Program:
    """A program of `length` random statements, of which the last assigns the update; often invalid.

    Its inputs and returned names are those of `template`.
    """
    program = template.with_body(())
    for position in range(length):
        line = random_statement(program, position, functions, rng)
        if position == length - 1:
            line = Statement(template.returns[0], line.function, line.args)
        program = program.with_body((*program.body, line))
    return program


def random_valid_program(
    template: Program, functions: Sequence[str], length: int, rng: np.random.Generator
) -> Program | None:
    """A valid program of random statements with the signature of `template`, built one statement after another.

    A statement is drawn again until its function takes the types of its arguments. Inputs keep their types, and a
    returned name is assigned only values of the type that has to be returned. The last statements assign the returned
    names that have no such value yet, the update first.

    Args:
        template: a valid program.
        functions: names of functions.
        length: number of statements; at least 1, and enough to assign the returned names that are no inputs.
        rng: the generator.

    Returns:
        None if a statement is not found within `MAX_DRAWN` tries: a return line that exchanges the types of inputs may
        leave no value of the type that comes next.
    """
    types = {name: SCALAR if name in ("lr", *OPTIONAL_INPUTS) else TREE for name in template.inputs}
    types.update({state.name: STATE_TYPES[state.shape] for state in template.states})
    returned = dict(zip(template.returns, (TREE, *(STATE_TYPES[s.shape] for s in template.states)), strict=True))
    program = template.with_body(())
    for position in range(length):
        missing = [name for name, expected in returned.items() if types.get(name) != expected]
        forced = None
        if len(missing) >= length - position or position == length - 1:
            forced = missing[0] if missing else template.returns[0]
        kept = types if forced is None else {forced: returned[forced]}
        for _ in range(MAX_DRAWN):
            line = random_statement(program, position, functions, rng)
            line = line if forced is None else Statement(forced, line.function, line.args)
            result = _result_type(line, types)
            expected = kept.get(line.target, returned.get(line.target, result))
            if result is not None and result == expected:
                break
        else:
            return None
        types[line.target] = result
        program = program.with_body((*program.body, line))
    return program


def _result_type(line: Statement, types: Mapping[str, Type]) -> Type | None:
    """The type of a statement's value, from the types of the variables; None if its function does not take them."""
    args = tuple(types[arg] if isinstance(arg, str) else SCALAR for arg in line.args)
    try:
        return PRIMITIVES[line.function].rule(args)
    except TypeMismatch:
        return None


def random_statement(program: Program, position: int, functions: Sequence[str], rng: np.random.Generator) -> Statement:
    """A random function, assigned to a new or an existing name, perhaps that of an input.

    Each argument is a variable that has a value before statement `position`, or a new constant.
    """
    visible = _visible(program, position)
    function = _pick(functions, rng)
    args: list[Argument] = [
        new_constant(rng) if rng.random() < P_CONSTANT else _pick(visible, rng)
        for _ in range(PRIMITIVES[function].arity)
    ]
    if rng.random() < P_NEW_NAME:
        return Statement(new_name(program), function, tuple(args))
    targets = [*program.inputs, *dict.fromkeys([*(line.target for line in program.body), *program.returns])]
    return Statement(_pick(targets, rng), function, tuple(args))


def _visible(program: Program, position: int) -> list[str]:
    """The names of the variables that have a value before statement `position`, in the order of the text."""
    return list(dict.fromkeys([*program.inputs, *(line.target for line in program.body[:position])]))


def new_name(program: Program) -> str:
    """The first of x1, x2, … that the program does not use."""
    return next(unused_names("x", {*program.inputs, *program.returns, *(line.target for line in program.body)}))


def _constant_places(program: Program) -> list[tuple[int, int]]:
    """Positions of the statement and of the argument of each constant."""
    return [(i, j) for i, line in enumerate(program.body) for j, arg in enumerate(line.args) if isinstance(arg, float)]


def _scale_constant(program: Program, i: int, j: int, power: float) -> Program:
    """The program with argument `j` of statement `i`, a constant, multiplied by 2^power."""
    line = program.body[i]
    old = line.args[j]
    assert isinstance(old, float)
    args = (*line.args[:j], scaled(old, power), *line.args[j + 1 :])
    return _with_statement(program, i, Statement(line.target, line.function, args))


def scaled(constant: float, power: float) -> float:
    """`constant * 2^power`, rounded to six digits so that it is readable; `constant` if the magnitude reaches 1e30."""
    scaled = float(f"{constant * 2.0**power:.6g}")
    return scaled if abs(scaled) < 1e30 else constant


def _with_statement(program: Program, i: int, line: Statement) -> Program:
    return program.with_body((*program.body[:i], line, *program.body[i + 1 :]))


def _pick(options: Sequence[T], rng: np.random.Generator) -> T:
    return options[int(rng.random() * len(options))]


def new_constant(rng: np.random.Generator) -> float:
    return float(f"{rng.standard_normal():.6g}")
