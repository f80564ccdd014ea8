"""The difference between two genomes of one kind, line by line."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import groupby
from typing import Any

from rich.text import Text

from germline.cli.formatting import BAD, GOOD, QUIET
from germline.cli.genome_line import Line
from germline.cli.genome_view import highlight
from germline.cli.presenters.presenter import Presenter
from germline.cli.presenters.registry import presenter_of_text

Pair = tuple[Line | None, Line | None]
"""A line of the first genome and its counterpart in the second; None on the side that lacks it."""


@dataclass(frozen=True)
class Change:
    """A line that differs.

    Attributes:
        kind: `added`, `removed` or `changed` (other arguments).
        before: the line in the first genome; None if it was added.
        after: the line in the second genome; None if it was removed.
    """

    kind: str
    before: Line | None
    after: Line | None

    @property
    def live(self) -> bool:
        """Whether the line is live in either genome."""
        return any(line is not None and line.live for line in (self.before, self.after))

    def row(self) -> dict[str, Any]:
        """The change as a row of `--json`.

        `statement` is the line's number in the second genome, or in the first if it was removed; None for a line
        without a number, such as the signature.
        """
        line = self.after or self.before
        return {
            "kind": self.kind,
            "statement": line.statement if line else None,
            "live": self.live,
            "before": self.before.text if self.before else None,
            "after": self.after.text if self.after else None,
        }


def align(before: str, after: str) -> list[Pair]:
    """The lines of two genomes side by side: equal lines are matched first, then lines with the same key.

    Raises:
        ValueError: a text is not a valid genome.
    """
    old, new = presenter_of_text(before).lines(before), presenter_of_text(after).lines(after)
    pairs: list[Pair] = []
    for tag, a, b, c, d in _opcodes([(line.text, line.args) for line in old], [(line.text, line.args) for line in new]):
        if tag == "equal":
            pairs += zip(old[a:b], new[c:d], strict=True)
        else:
            pairs += _align_by_key(old[a:b], new[c:d])
    return pairs


def shortened(pairs: Sequence[Pair], presenter: Presenter) -> list[Pair]:
    """The pairs, with each series of equal, added or removed lines shortened by the presenter."""
    short: list[Pair] = []
    sides = groupby(pairs, key=lambda pair: (same(*pair), pair[0] is not None, pair[1] is not None))
    for (equal, in_before, in_after), group in sides:
        if in_before and in_after and not equal:
            short += group
            continue
        lines = presenter.shorten([line for pair in group if (line := pair[1] or pair[0])])
        short += [(line if in_before else None, line if in_after else None) for line in lines]
    return short


def changes(before: str, after: str) -> list[Change]:
    """The lines that differ, in the order of the genomes. Raises ValueError as `align` does."""
    return [change(*pair) for pair in align(before, after) if not same(*pair)]


def same(before: Line | None, after: Line | None) -> bool:
    """Whether two lines are equal in text and arguments; the text may abbreviate an argument."""
    return before is not None and after is not None and (before.text, before.args) == (after.text, after.args)


def change(before: Line | None, after: Line | None) -> Change:
    """The change from a line to a counterpart that differs from it."""
    return Change("added" if before is None else "removed" if after is None else "changed", before, after)


def change_text(change: Change) -> Text:
    """A change on one line: `+ statement`, `- statement`, or `~ statement` with `old → new` for changed arguments."""
    before, after = change.before, change.after
    if before is not None and after is not None:
        return Text.assemble(("~ ", QUIET), _arrows(before, after))
    line = after or before
    assert line is not None
    mark = ("+ ", GOOD) if before is None else ("- ", BAD)
    return Text.assemble(mark, highlight(line.text, line.live))


def _arrows(before: Line, after: Line) -> Text:
    """A changed statement with `old → new` for each changed argument; for other lines, both texts with an arrow."""
    live = before.live or after.live
    if before.statement is None or len(before.args) != len(after.args):
        return Text.assemble(highlight(before.text, live), ("  →  ", QUIET), highlight(after.text, live))
    target, function = before.key
    args = []
    for old, new in zip(before.args, after.args, strict=True):
        arrow = Text.assemble((old, QUIET), (" → ", QUIET), (new, "bold" if live else QUIET))
        args.append(arrow if old != new else highlight(old, live))
    assignment = highlight(f"{target} = ", live)
    if function == "=":
        return Text.assemble(assignment, args[0])
    if function in "+-*/":
        left = Text.assemble("(", args[0], ")") if " → " in args[0].plain else args[0]
        return Text.assemble(assignment, left, highlight(f" {function} ", live), args[1])
    return Text.assemble(assignment, highlight(f"{function}(", live), Text(", ").join(args), ")")


def _align_by_key(old: Sequence[Line], new: Sequence[Line]) -> Iterator[Pair]:
    """Pairs of lines with the same key; lines without a counterpart are paired with None."""
    for tag, a, b, c, d in _opcodes([line.key for line in old], [line.key for line in new]):
        if tag == "equal":
            yield from zip(old[a:b], new[c:d], strict=True)
        else:
            yield from ((line, None) for line in old[a:b])
            yield from ((None, line) for line in new[c:d])


def _opcodes(old: Sequence[Any], new: Sequence[Any]) -> Sequence[tuple[str, int, int, int, int]]:
    return SequenceMatcher(a=old, b=new, autojunk=False).get_opcodes()
