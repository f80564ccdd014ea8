"""The verdict of a tuned comparison on an individual, as it is recorded, and as an export names it."""

from germline.cli.candidate import Candidate
from germline.cli.database import open_store

LINES, WHERE = "lines", "where"
"""Keys of what is recorded: a phrase for each contender, such as `better than library:adamw`, and where that holds."""


def verdict_of(candidate: Candidate, url: str) -> tuple[str, ...]:
    """The phrases of the latest verdict on an individual, then the seeds and tasks that it comes from; empty without a
    verdict."""
    if candidate.scored is None:
        return ()
    with open_store(url) as store:
        record = store.verdict(candidate.scored.run, candidate.scored.individual.birth)
    lines = None if record is None else record.content.get(LINES)
    if record is None or not isinstance(lines, list):
        return ()
    return (*map(str, lines), f"by {record.content.get(WHERE)}")
