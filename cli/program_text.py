"""Optimizer programs on a terminal: statements numbered and coloured, dead ones dimmed and marked with a dot."""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from germline.cli.errors import printable
from germline.cli.render import QUIET

if TYPE_CHECKING:
    from rich.text import Text

    from germline.programs.optimizer import Program

DEAD = "·"
_WORD = re.compile(
    r"(?P<keyword>\b(?:def|return)\b)|(?P<function>[A-Za-z_]\w*(?=\())|(?P<number>(?<![\w.])-?\d[\d.]*(?:e[+-]?\d+)?)"
)
_STYLES = {"keyword": "bold", "function": "blue", "number": "cyan"}
"""Three of the terminal's own colours, so that it reads on a dark and on a light ground."""


class Line(NamedTuple):
    """A line of a program: what it says, whether an update depends on it, and what a change of it is told by.

    `key` names what the line does and `args` what it does it to; two lines that share the key differ in arguments only.
    """

    text: str
    live: bool
    key: tuple[str, ...]
    args: tuple[str, ...]
    statement: int | None = None


@lru_cache(maxsize=64)
def program_lines(text: str) -> tuple[Line, ...]:
    """The lines of a program's canonical text: the signature, the statements from 1, the return.

    Raises:
        InvalidProgram: the text is not a valid program.
    """
    from germline.programs.optimizer import parse, trace, write

    program = parse(text)
    live = set(trace(program).live_statements)
    signature, *body, last = write(program).splitlines()
    statements = [
        Line(line.strip(), i in live, (one.target, one.function), _arguments(program, i), i + 1)
        for i, (line, one) in enumerate(zip(body, program.body, strict=True))
    ]
    inputs = signature.partition("(")[2].removesuffix("):").split(", ")
    return (
        Line(signature, True, ("def",), tuple(inputs)),
        *statements,
        Line(last.strip(), True, ("return",), program.returns),
    )


def highlight(text: str, live: bool = True) -> "Text":
    """One line with functions and numbers in colour; a dead one is only dimmed."""
    from rich.text import Text

    shown = Text(printable(text), "" if live else QUIET)
    if live:
        for match in _WORD.finditer(shown.plain):
            shown.stylize(_STYLES[str(match.lastgroup)], *match.span())
    return shown


def program_view(text: str) -> "Text":
    """The whole program, one statement a line, dead statements marked."""
    from rich.text import Text

    shown = []
    for line in program_lines(text):
        where = "" if line.statement is None else str(line.statement)
        gutter = f"{where:>4} {' ' if line.live else DEAD} "
        indent = "" if line.key == ("def",) else "  "
        shown.append(Text.assemble((gutter, QUIET), indent, highlight(line.text, line.live)))
    return Text("\n").join(shown)


def counts(facts: Mapping[str, object]) -> str:
    """How much of a program counts, in a line."""
    names = facts["live_states"]
    states = f" ({', '.join(names)})" if isinstance(names, list) and names else ""
    return (
        f"{facts['live']} of {facts['statements']} statements live, "
        f"{len(names) if isinstance(names, list) else 0} of {facts['states']} states{states}, "
        f"{facts['constants']} constants"
    )


def _arguments(program: "Program", i: int) -> tuple[str, ...]:
    return tuple(arg if isinstance(arg, str) else repr(arg) for arg in program.body[i].args)
