"""A genome as lines of text, whatever its kind."""

from typing import NamedTuple


class Line(NamedTuple):
    """A line of a genome.

    Attributes:
        text: the line as it is printed.
        live: whether the genome's behaviour depends on it.
        key: identifies what the line does; lines with the same key differ in their arguments only.
        args: the arguments in full; `text` may abbreviate them.
        statement: number of the statement, node or mutation; None for any other line.
    """

    text: str
    live: bool
    key: tuple[str, ...]
    args: tuple[str, ...]
    statement: int | None = None
