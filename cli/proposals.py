"""What operators from outside proposed for a birth, as `germline show` and the summary of a search say it."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from germline.cli.candidate import Candidate
from germline.cli.database import open_store
from germline.db.records import ProposalRecord, RunRecord
from germline.search.kinds import KINDS
from germline.search.proposers.names import shares


def proposals_for(candidate: Candidate, url: str) -> list[ProposalRecord]:
    """The proposals for the birth of a candidate, oldest first; empty for a candidate of no run."""
    if candidate.scored is None or candidate.run is None:
        return []
    birth = candidate.scored.individual.birth
    with open_store(url) as store:
        return store.proposals(candidate.run.id, birth, birth)


def proposal_rows(records: Sequence[ProposalRecord]) -> list[dict[str, Any]]:
    """The rows of proposals as JSON."""
    return [asdict(record) for record in records]


def proposal_line(record: ProposalRecord) -> str:
    """A proposal in a line: who proposed, what became of it, and why."""
    who = f"{record.operator} ({record.model})" if record.model else record.operator
    why = f": {record.reason}" if record.reason else ""
    return f"proposed by {who}, {record.status}{why}"


def rejected_what(run: RunRecord) -> str:
    """What the rejected genomes of a run may be."""
    operators = run.config.get("settings", {}).get("operators") or {}
    asked = run.kind in KINDS and shares(operators, KINDS[run.kind].own_operators)
    return "genomes over the limits and refused proposals" if asked else "genomes over the limits"
