"""Where an export comes from, as lines of a docstring that no text can break out of."""

from collections.abc import Iterator
from dataclasses import dataclass

MAX_SHOWN = 72
"""Largest number of characters of a name in an exported docstring."""


@dataclass(frozen=True)
class Origin:
    """Where an exported genome comes from; facts that are None are left out of the docstring.

    `schedule` says how the learning rate changes in the trainings of the search. `simplified_from` is the individual,
    library program or file that a simplified program was made of, and `simplified_by` says by which rules. `verdict`
    has a phrase of a tuned comparison for each contender, and the seeds and tasks that it comes from.
    """

    run: str | None
    birth: int | None
    fingerprint: str
    fitness: float | None
    task: str | None
    schedule: str | None = None
    simplified_from: str | None = None
    simplified_by: str | None = None
    verdict: tuple[str, ...] = ()

    def lines(self) -> Iterator[str]:
        """One line of docstring source for each fact, safe between triple quotes."""
        if self.run is not None:
            yield f"Run: {inert(self.run)}"
        if self.birth is not None:
            yield f"Birth: {self.birth:d}"
        if self.task is not None:
            yield f"Task: {inert(self.task)}"
        if self.schedule is not None:
            yield f"Schedule: {inert(self.schedule)}"
        if self.fitness is not None:
            yield f"Fitness: {float(self.fitness)!r}"
        if self.simplified_from is not None:
            yield f"Simplified from: {inert(self.simplified_from)}"
        if self.simplified_by is not None:
            yield f"Simplified by: {inert(self.simplified_by)}"
        for phrase in self.verdict:
            yield f"Verdict: {inert(phrase)}"
        yield f"Fingerprint: {inert(self.fingerprint)}"


def inert(text: str) -> str:
    """Text of unknown origin as docstring source: one line of printable characters, cut to `MAX_SHOWN`.

    Backslashes are doubled, double quotes become single quotes, and characters that do not print (line ends, escapes,
    marks that reverse the direction of text) become escape sequences.
    """
    source = ""
    for character in text:
        if character in ('"', "\\"):
            unit = "'" if character == '"' else "\\\\"
        elif character.isprintable():
            unit = character
        else:
            unit = "\\" + character.encode("unicode_escape").decode("ascii")
        if len(source) + len(unit) > MAX_SHOWN:
            return source + "…"
        source += unit
    return source
