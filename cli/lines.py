"""A genome as lines, whatever its kind."""

from typing import NamedTuple


class Line(NamedTuple):
    """A line of a program: what it says, whether an update depends on it, and what a change of it is told by.

    `key` names what the line does and `args` what it does it to; two lines that share the key differ in arguments only.
    """

    text: str
    live: bool
    key: tuple[str, ...]
    args: tuple[str, ...]
    statement: int | None = None
