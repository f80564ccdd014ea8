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

_DIGITS = re.compile(r"\d+(?:\.\d+)?(?:e[+-]?\d+)?")


@dataclass
class Cause:
    """Failures whose errors differ in numbers alone.

    Attributes:
        status: of the outcomes.
        error: the first error, on one line; empty without a text.
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
        cause = causes.setdefault((each.status, _DIGITS.sub("#", error)), Cause(each.status, error))
        cause.count += each.times
        cause.examples = sorted({*cause.examples, each.birth, each.last})[:EXAMPLES]
    return sorted(causes.values(), key=lambda cause: -cause.count)[:MOST]
