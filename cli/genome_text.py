"""Genomes on a terminal, whatever their kind: lines numbered and coloured, those that make no difference marked.

A genome's text says of which kind it is: JSON with a network is a policy, other JSON an architecture, and anything
else an optimizer program.
"""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from germline.cli.errors import printable
from germline.cli.lines import Line
from germline.cli.render import QUIET

if TYPE_CHECKING:
    from rich.text import Text

DEAD = "·"
_WORD = re.compile(
    r"(?P<keyword>\b(?:def|return)\b)|(?P<function>[A-Za-z_]\w*(?=\())|(?P<number>(?<![\w.])-?\d[\d.]*(?:e[+-]?\d+)?)"
)
_NETWORK = re.compile(r'"network"\s*:')
_STYLES = {"keyword": "bold", "function": "blue", "number": "cyan"}
"""Three of the terminal's own colours, so that it reads on a dark and on a light ground."""


def kind_of(text: str, json: bool = False) -> str:
    """The kind of a genome by its text, which may not be a valid one; `json`: it is known to be meant as JSON."""
    if not (json or text.lstrip().startswith("{")):
        return "optimizer"
    return "policy" if _NETWORK.search(text) else "architecture"


def genome_lines(text: str) -> tuple[Line, ...]:
    """The lines of a genome.

    Raises:
        ValueError: the text is not a valid genome of its kind.
    """
    kind = kind_of(text)
    if kind == "architecture":
        from germline.cli.architecture_text import architecture_lines

        return architecture_lines(text)
    if kind == "policy":
        from germline.cli.policy_text import policy_lines

        return policy_lines(text)
    from germline.cli.program_text import program_lines

    return program_lines(text)


def gist(text: str) -> str:
    """A genome in one line."""
    kind = kind_of(text)
    if kind == "architecture":
        from germline.cli import architecture_text

        return architecture_text.gist(text)
    if kind == "policy":
        from germline.cli import policy_text

        return policy_text.gist(text)
    from germline.cli import program_text

    return program_text.gist(text)


def summary(facts: Mapping[str, Any]) -> str:
    """The size of a genome, in a line."""
    if facts["kind"] == "architecture":
        return f"{facts['params']:,} parameters, {facts['macs']:,} multiply-accumulates an image"
    if facts["kind"] == "policy":
        from germline.cli import policy_text

        return policy_text.summary(facts)
    from germline.cli.program_text import counts

    return counts(facts)


def size(facts: Mapping[str, Any]) -> str:
    """The same in a word."""
    if facts["kind"] == "architecture":
        return f"{facts['params'] / 1e6:.3f} M"
    if facts["kind"] == "policy":
        return f"{facts['parameters']:,}"
    return f"{facts['live']}/{facts['statements']}"


def size_names(kind: str) -> tuple[str, str]:
    """What `size` and `gist` show."""
    return {"architecture": ("params", "cells"), "policy": ("params", "network")}.get(kind, ("live", "update"))


def highlight(text: str, live: bool = True) -> "Text":
    """One line with functions and numbers in colour; a dead one is only dimmed."""
    from rich.text import Text

    shown = Text(printable(text), "" if live else QUIET)
    if live:
        for match in _WORD.finditer(shown.plain):
            shown.stylize(_STYLES[str(match.lastgroup)], *match.span())
    return shown


def genome_view(text: str) -> "Text":
    """The whole genome, dead lines marked; of a policy with many mutations the first and the last ones."""
    from rich.text import Text

    lines = list(genome_lines(text))
    if kind_of(text) == "policy":
        from germline.cli.policy_text import shortened

        lines = shortened(lines)
    shown = []
    for line in lines:
        where = "" if line.statement is None else str(line.statement)
        gutter = f"{where:>4} {' ' if line.live else DEAD} "
        indent = "" if line.statement is None and line.key[0] in ("def", "cell") else "  "
        shown.append(Text.assemble((gutter, QUIET), indent, highlight(line.text, line.live)))
    return Text("\n").join(shown)
