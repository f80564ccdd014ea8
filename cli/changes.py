"""What a mutation did: the statements that two programs do not share."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Any

from germline.cli.genome_text import genome_lines, highlight
from germline.cli.lines import Line
from germline.cli.render import BAD, GOOD, QUIET

if TYPE_CHECKING:
    from rich.text import Text

Pair = tuple[Line | None, Line | None]
"""A line of the first program beside its counterpart in the second; None where there is none."""


@dataclass(frozen=True)
class Change:
    """One changed line: `added` and `removed` have one side, `changed` differs in its arguments only."""

    kind: str
    before: Line | None
    after: Line | None

    @property
    def live(self) -> bool:
        """Whether an update depends on the line, before or after."""
        return any(line is not None and line.live for line in (self.before, self.after))

    def row(self) -> dict[str, Any]:
        """For `--json`; `statement` is the number in the later program, or in the earlier one for a removed line."""
        line = self.after or self.before
        return {
            "kind": self.kind,
            "statement": line.statement if line else None,
            "live": self.live,
            "before": self.before.text if self.before else None,
            "after": self.after.text if self.after else None,
        }


def align(before: str, after: str) -> list[Pair]:
    """The lines of two programs side by side; equal ones are matched first, then those that differ in arguments only.

    Raises:
        InvalidProgram: one of the texts is not a valid program.
    """
    old, new = genome_lines(before), genome_lines(after)
    pairs: list[Pair] = []
    for tag, a, b, c, d in _opcodes([(line.text, line.args) for line in old], [(line.text, line.args) for line in new]):
        if tag == "equal":
            pairs += zip(old[a:b], new[c:d], strict=True)
        else:
            pairs += _align_changed(old[a:b], new[c:d])
    return pairs


def changes(before: str, after: str) -> list[Change]:
    """The lines that differ, in the order of the programs."""
    return [change(*pair) for pair in align(before, after) if not same(*pair)]


def same(before: Line | None, after: Line | None) -> bool:
    """Whether two lines say the same, also in what is too long for their text."""
    return before is not None and after is not None and (before.text, before.args) == (after.text, after.args)


def change(before: Line | None, after: Line | None) -> Change:
    """The change from a line to its counterpart, which differs from it."""
    return Change("added" if before is None else "removed" if after is None else "changed", before, after)


def change_text(one: Change) -> "Text":
    """A change in one line: `+ statement`, `- statement`, or the statement with `old → new` where it differs."""
    from rich.text import Text

    if one.before is not None and one.after is not None:
        return Text.assemble(("~ ", QUIET), _arrows(one.before, one.after))
    line = one.after or one.before
    assert line is not None
    mark = ("+ ", GOOD) if one.before is None else ("- ", BAD)
    return Text.assemble(mark, highlight(line.text, line.live))


def _arrows(before: Line, after: Line) -> "Text":
    """A statement whose changed arguments stand as `old → new`; the two lines in a row if it is no statement."""
    from rich.text import Text

    live = before.live or after.live
    if before.statement is None or len(before.args) != len(after.args):
        return Text.assemble(highlight(before.text, live), ("  →  ", QUIET), highlight(after.text, live))
    target, function = before.key
    args = []
    for old, new in zip(before.args, after.args, strict=True):
        arrow = Text.assemble((old, QUIET), (" → ", QUIET), (new, "bold" if live else QUIET))
        args.append(arrow if old != new else highlight(old, live))
    shown = highlight(f"{target} = ", live)
    if function == "=":
        return Text.assemble(shown, args[0])
    if function in "+-*/":
        left = Text.assemble("(", args[0], ")") if " → " in args[0].plain else args[0]
        return Text.assemble(shown, left, highlight(f" {function} ", live), args[1])
    return Text.assemble(shown, highlight(f"{function}(", live), Text(", ").join(args), ")")


def _align_changed(old: Sequence[Line], new: Sequence[Line]) -> Iterator[Pair]:
    for tag, a, b, c, d in _opcodes([line.key for line in old], [line.key for line in new]):
        if tag == "equal":
            yield from zip(old[a:b], new[c:d], strict=True)
        else:
            yield from ((line, None) for line in old[a:b])
            yield from ((None, line) for line in new[c:d])


def _opcodes(old: Sequence[Any], new: Sequence[Any]) -> Sequence[tuple[str, int, int, int, int]]:
    return SequenceMatcher(a=old, b=new, autojunk=False).get_opcodes()
