"""Names of hyper-parameters and variables in the code of an exported optimizer."""

import re
from collections.abc import Collection
from dataclasses import replace

from germline.programs.export.names import RESERVED, numbered_name
from germline.programs.optimizer.program import Program, State, Statement

AUTOMATIC = re.compile(r"[tx]\d+")
"""Names that the parser gives to nested values, and a simplification to values without a name."""

_NAMES = {
    "abs": "magnitude", "square": "squared", "*": "product", "+": "total", "-": "difference", "/": "quotient",
    "max": "larger", "min": "smaller", "sqrt": "root", "norm": "length", "power": "powered", "where": "chosen",
    "interp": "blend", "reciprocal": "inverse", "leaf_mean": "mean", "leaf_max": "largest", "leaf_sum": "total",
    "sign": "signs", "rank": "ranks", "modulo": "phase", "get_pi": "pi", "get_e": "e",
}  # fmt: skip


def name_of_value(target: str, function: str) -> str:
    """The name that a statement gives to its value, or one after its function if the parser has chosen that name."""
    return _NAMES.get(function, function) if AUTOMATIC.fullmatch(target) else target


def rename(program: Program, hyperparameters: Collection[str], longest: int = 40) -> Program:
    """The same program with names that fit into exported code.

    Names that the code uses get an underscore (`p` becomes `p_`), and names are cut to `longest` characters; names that
    would then be equal are numbered.
    """
    inputs = {"w", "g", "lr", *program.optional_inputs}
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
        returns=tuple(new[name] for name in program.returns),
        **dict.fromkeys(program.optional_inputs, True),
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
