"""Where an exported program comes from, and how that is written into a docstring without breaking out of it."""

from collections.abc import Iterator
from dataclasses import dataclass

MAX_SHOWN = 72
"""How many characters of a name a docstring shows."""


@dataclass(frozen=True)
class Origin:
    """What is known of a program; what is None is left out of the docstring."""

    run: str | None
    birth: int | None
    fingerprint: str
    fitness: float | None
    task: str | None

    def lines(self) -> Iterator[str]:
        """One line of docstring source a fact, each already safe between triple quotes."""
        if self.run is not None:
            yield f"Run: {inert(self.run)}"
        if self.birth is not None:
            yield f"Birth: {self.birth:d}"
        if self.task is not None:
            yield f"Task: {inert(self.task)}"
        if self.fitness is not None:
            yield f"Fitness: {float(self.fitness)!r}"
        yield f"Fingerprint: {inert(self.fingerprint)}"


def inert(text: str) -> str:
    """Text of unknown origin as docstring source: one line of printable characters, without quotes that could end it.

    Backslashes are doubled, double quotes become single ones, and what does not print (line ends, escapes, characters
    that reverse the direction of text) is spelled as its code.
    """
    shown = ""
    for character in text:
        if character in ('"', "\\"):
            unit = "'" if character == '"' else "\\\\"
        elif character.isprintable():
            unit = character
        else:
            unit = "\\" + character.encode("unicode_escape").decode("ascii")
        if len(shown) + len(unit) > MAX_SHOWN:
            return shown + "…"
        shown += unit
    return shown
