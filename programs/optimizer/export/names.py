"""Names of hyper-parameters and variables in the code of an exported optimizer."""

from collections import Counter
from collections.abc import Collection
from dataclasses import replace

from germline.programs.export.names import RESERVED, numbered_name
from germline.programs.optimizer.graph import trace
from germline.programs.optimizer.program import Program, State, Statement

Place = tuple[int, int]
"""The position of a literal: statement, argument."""

TINY = 1e-4
"""The largest positive literal that is called eps where it is added."""

_BY_FUNCTION = {
    ("clip", 1): "max_norm",
    ("power", 0): "base",
    ("power", 1): "exponent",
    ("greater", 0): "threshold",
    ("greater", 1): "threshold",
    ("max", 0): "floor",
    ("max", 1): "floor",
    ("min", 0): "ceiling",
    ("min", 1): "ceiling",
    ("modulo", 1): "period",
    ("interp", 2): "mix",
    ("*", 0): "scale",
    ("*", 1): "scale",
    ("/", 1): "divisor",
    ("+", 0): "shift",
    ("+", 1): "shift",
    ("-", 0): "shift",
    ("-", 1): "shift",
}


def hyperparameters(program: Program, fixed: Collection[Place]) -> dict[Place, str]:
    """A name for every literal except the literals at `fixed`, after the literal's purpose in its statement.

    Equal literals have different names; names that occur more than once are numbered.
    """
    graph = trace(program)
    state_nodes = set(graph.state_nodes)
    next_states = set(graph.next_states)
    weights = {i for i, node in enumerate(graph.nodes) if node.function == "input:w"}
    words: dict[Place, str] = {}
    for i, line in enumerate(program.body):
        node = graph.statements[i]
        args = graph.nodes[node].args if line.function != "=" else ()
        for j, arg in enumerate(line.args):
            if not isinstance(arg, float) or (i, j) in fixed:
                continue
            word = _BY_FUNCTION.get((line.function, j), "c")
            if line.function == "interp" and j == 2 and (node in next_states or state_nodes & set(args)):
                word = "beta"
            elif line.function == "*" and weights & set(args):
                word = "weight_decay"
            elif line.function == "+" and 0 < arg <= TINY:
                word = "eps"
            words[i, j] = word
    repeated = {word for word, count in Counter(words.values()).items() if count > 1}
    numbers: Counter[str] = Counter()
    names = {}
    for place, word in words.items():
        numbers[word] += 1
        names[place] = f"{word}{numbers[word]}" if word in repeated else word
    return names


def rename(program: Program, hyperparameters: Collection[str], longest: int = 40) -> Program:
    """The same program with names that fit into exported code.

    Names that the code uses get an underscore (`p` becomes `p_`), and names are cut to `longest` characters; names that
    would then be equal are numbered.
    """
    inputs = {"w", "g", "lr", *(["step"] if program.step else [])}
    names = [*program.inputs, *(line.target for line in program.body)]
    used = {*RESERVED, *hyperparameters, *(name for name in names if len(name) <= longest)}
    new: dict[str, str] = {name: name for name in inputs}
    for name in names:
        if name in new:
            continue
        short = name[:longest]
        reserved = name in RESERVED or name in hyperparameters
        clash = reserved or (short != name and short in used)
        new[name] = numbered_name(short + "_" if reserved else short, used) if clash else short
        used.add(new[name])
    return Program(
        body=tuple(
            Statement(
                new[line.target], line.function, tuple(new[arg] if isinstance(arg, str) else arg for arg in line.args)
            )
            for line in program.body
        ),
        states=tuple(State(new[state.name], state.shape) for state in program.states),
        step=program.step,
        returns=tuple(new[name] for name in program.returns),
    )


def without_unread_copies(program: Program) -> Program:
    """The program without assignments whose value is never read, and without copies of a variable to itself.

    Replacing a statement by a copy can leave both.
    """
    needed = set(program.returns)
    body: list[Statement] = []
    for line in reversed(program.body):
        idle = line.function == "=" and line.args == (line.target,)
        if line.target in needed and not idle:
            needed.discard(line.target)
            needed.update(arg for arg in line.args if isinstance(arg, str))
            body.append(line)
    return replace(program, body=tuple(reversed(body)))
