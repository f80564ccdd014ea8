"""Short phrases beside each other, none of which is broken at the end of a line."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

GAP = "  "


@dataclass(frozen=True)
class Phrases:
    """Phrases with two blanks between them. A line that is full ends between two phrases.

    A phrase that is longer than a line has lines of its own, and is broken between words. `style` is of rich.
    """

    phrases: Sequence[str]
    style: str = ""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield Text("\n".join(lines_of(self.phrases, options.max_width)), style=self.style)


def lines_of(phrases: Sequence[str], width: int) -> list[str]:
    """The phrases as lines of at most `width` columns, as many in each as fit."""
    lines: list[str] = []
    for phrase in phrases:
        if lines and cell_len(lines[-1]) + len(GAP) + cell_len(phrase) <= width:
            lines[-1] += GAP + phrase
        else:
            lines.append(phrase)
    return lines
