"""Failures by cause, with births that show each."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from germline.cli.printing import on_a_line
from germline.db.columns import FailureCount

MOST = 30
"""The most causes that are listed."""

EXAMPLES = 5
"""The most births that are named for a cause."""

_NUMBER = re.compile(r"\d+(?:\.\d+)?(?:e[+-]?\d+)?|#")
"""A number, or the sign that stands for numbers that differ."""


@dataclass
class Cause:
    """Failures whose errors differ in numbers alone.

    Attributes:
        status: of the outcomes.
        error: what their errors share, on one line, with `#` for each number in which they differ; empty without a
            text.
        count: how many evaluations ended so.
        examples: births, the `EXAMPLES` first of the first and the last of each distinct error.
    """

    status: str
    error: str
    count: int = 0
    examples: list[int] = field(default_factory=list)


def causes(counts: Sequence[FailureCount]) -> list[Cause]:
    """The causes of failures, the most frequent first, `MOST` at most.

    Args:
        counts: as `Store.failure_counts` returns them.
    """
    causes: dict[tuple[str, str], Cause] = {}
    for each in counts:
        error = on_a_line(each.error or "", 300)
        cause = causes.setdefault((each.status, _NUMBER.sub("#", error)), Cause(each.status, error))
        cause.error = _shared_text(cause.error, error)
        cause.count += each.times
        cause.examples = sorted({*cause.examples, each.birth, each.last})[:EXAMPLES]
    return sorted(causes.values(), key=lambda cause: -cause.count)[:MOST]


def _shared_text(error: str, other: str) -> str:
    """What two errors share that differ in numbers alone: their text, with `#` for the numbers that differ."""
    if error == other:
        return error
    numbers = [_NUMBER.findall(text) for text in (error, other)]
    kept = iter([a if a == b else "#" for a, b in zip(*numbers, strict=True)])
    return _NUMBER.sub(lambda match: next(kept), error)
