"""Runs by names and patterns: `small-1`, `'frost-*'`."""

from collections.abc import Sequence
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from germline.cli.errors import BadReference

if TYPE_CHECKING:
    from germline.db.records import RunSummary


def matching(runs: "Sequence[RunSummary]", names: Sequence[str]) -> "list[RunSummary]":
    """The runs of some names and patterns, each once, in the order in which they are named.

    Raises:
        BadReference: a name or a pattern fits none.
    """
    found: dict[str, RunSummary] = {}
    for name in names:
        fitting = [one for one in runs if one.name == name] or [one for one in runs if fnmatchcase(one.name, name)]
        if not fitting:
            near = get_close_matches(name, [one.name for one in runs], n=1)
            hint = f"did you mean {near[0]!r}?" if near else "germline runs lists them"
            raise BadReference(f"expected a run, or a pattern that fits one, got {name!r:.80}; {hint}")
        found |= {one.name: one for one in fitting}
    return list(found.values())
