"""Runs that names or patterns match, such as `small-1` or `'frost-*'`."""

from collections.abc import Sequence
from difflib import get_close_matches
from fnmatch import fnmatchcase

from germline.cli.errors import BadReference
from germline.db.records import RunSummary


def matching_runs(runs: Sequence[RunSummary], patterns: Sequence[str]) -> list[RunSummary]:
    """Returns the runs that the patterns match, each run once, in the order of the patterns.

    A pattern has `*` for anything, `?` for one character and `[...]` for one of a set. If a run has the
    pattern as its name, only this run matches.

    Raises:
        BadReference: a name or pattern matches no run.
    """
    matches: dict[str, RunSummary] = {}
    for pattern in patterns:
        named = [run for run in runs if run.name == pattern]
        matched = named or [run for run in runs if fnmatchcase(run.name, pattern)]
        if not matched:
            near = get_close_matches(pattern, [run.name for run in runs], n=1)
            hint = f"did you mean {near[0]!r}?" if near else "germline runs lists them"
            raise BadReference(f"expected a run, or a pattern that matches a run, got {pattern!r:.80}; {hint}")
        matches |= {run.name: run for run in matched}
    return list(matches.values())
