"""Lines of a genome on a terminal: numbered and coloured, with dead lines dimmed and marked."""

import re
from collections.abc import Iterable

from rich.text import Text

from germline.cli.formatting import QUIET
from germline.cli.genome_line import Line
from germline.cli.printing import on_a_line

DEAD = "·"
"""Mark of a dead line."""
_WORD = re.compile(
    r"(?P<keyword>\b(?:def|return)\b)|(?P<function>[A-Za-z_]\w*(?=\())|(?P<number>(?<![\w.])-?\d[\d.]*(?:e[+-]?\d+)?)"
)
_STYLES = {"keyword": "bold", "function": "blue", "number": "cyan"}
"""Styles of words. The colours come from the terminal's palette, so that they are readable on dark and light
backgrounds."""


def highlight(text: str, live: bool = True) -> Text:
    """A line with keywords, functions and numbers in colour; a dead line is dimmed and has no colours."""
    styled = Text(on_a_line(text), "" if live else QUIET)
    if live:
        for match in _WORD.finditer(styled.plain):
            styled.stylize(_STYLES[str(match.lastgroup)], *match.span())
    return styled


def lines_view(lines: Iterable[Line]) -> Text:
    """The lines of a genome, with numbers of statements and marks of dead lines on the left."""
    rows = []
    for line in lines:
        indent = "" if line.statement is None and line.key[0] in ("def", "cell") else "  "
        rows.append(Text.assemble((gutter(line.statement, line.live), QUIET), indent, highlight(line.text, line.live)))
    return Text("\n").join(rows)


def gutter(statement: int | None, live: bool) -> str:
    """The left margin of a line: the number of its statement, or blanks, and the mark of a dead line."""
    number = "" if statement is None else str(statement)
    return f"{number:>4} {' ' if live else DEAD} "
