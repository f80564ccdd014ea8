"""The reference of the language of optimizer programs, from its tables: functions, shapes of states, the library."""

from collections.abc import Callable

from markdown_table import code, table

from germline.programs.optimizer import library as texts
from germline.programs.optimizer import parse
from germline.programs.optimizer.graph import live_program
from germline.programs.optimizer.primitives import PRIMITIVES, WHITENING, Primitive
from germline.programs.optimizer.program import State
from germline.programs.optimizer.types import LEAF_SHAPES, Shape

_SCOPES = {
    "constant": "a number",
    "elementwise": "elements",
    "leaf": "a tensor at a time",
    "tree": "all tensors at once",
}
_NAMES = ("a", "b", "c")


def functions() -> str:
    """A table for each set of functions: how it is written, on what it works, and what it computes, as torch."""
    every = [PRIMITIVES[name] for name in WHITENING]
    sets = {
        "Core": [each for each in every if each.core],
        "Extended": [each for each in every if not each.core and not each.whitening],
        "Whitening": [each for each in every if each.whitening],
    }
    return "\n".join(f"### {title} ({len(members)})\n\n{_functions(members)}" for title, members in sets.items())


def _functions(members: list[Primitive]) -> str:
    rows = [[code(_written(each)), _SCOPES[each.scope], code(_computed(each))] for each in members]
    return table(["function", "works on", "as torch"], rows)


def _written(function: Primitive) -> str:
    names = _NAMES[: function.arity]
    return f"{names[0]} {function.name} {names[1]}" if function.operator else f"{function.name}({', '.join(names)})"


def _computed(function: Primitive) -> str:
    return function.source.format(*_NAMES[: function.arity])


def library() -> str:
    """A table of the library: what a program is, its live statements, and its states."""
    return table(
        ["program", "what it is", "statements", "states"], [_row(name, text) for name, text in texts().items()]
    )


def _row(name: str, text: str) -> list[str]:
    program = live_program(parse(text))
    says = " ".join(line.lstrip("# ") for line in text.splitlines() if line.startswith("#"))
    states = ", ".join(code(_declared(state)) for state in program.states)
    return [code(name), says, str(len(program.body)), states]


def _declared(state: State) -> str:
    return state.name if state.shape == "tree" else f"{state.name}: {state.shape}"


def state_shapes() -> str:
    """A table of the shapes that a state may have: at a matrix, a kernel of a convolution, a vector and a number."""
    leaves: list[Shape] = [(10, 64), (16, 8, 3, 3), (64,), ()]
    head = ["written", *(f"where `w` is {_shape(leaf)}" for leaf in leaves)]
    rows = [[code(_declared(State("s", word))), *(_shape(of(leaf)) for leaf in leaves)] for word, of in _shapes()]
    return table(head, rows)


def _shapes() -> list[tuple[str, Callable[[Shape], Shape]]]:
    return list(LEAF_SHAPES.items())


def _shape(shape: Shape) -> str:
    return " × ".join(map(str, shape)) or "a number"
