"""Proposals of operators from outside."""

from germline.db import proposals
from germline.db.records import ProposalRecord, ProposalTotals
from germline.db.store.base import BaseStore


class ProposalStore(BaseStore):
    """The part of the store for proposals of operators from outside. The SQL is in `germline.db.proposals`."""

    def add_proposal(self, run_id: int, record: ProposalRecord) -> None:
        """Adds a proposal for a birth that may not be recorded yet.

        Raises:
            RecordConflict: a proposal for the birth is recorded at this position already.
            InvalidRecord: the status is unknown, or a count is negative or does not fit.
        """
        of_answer, of_proposal = proposals.rows(run_id, record)
        self._add(f"a proposal for birth {record.birth}", proposals.add, of_answer, of_proposal)

    def proposals(self, run_id: int, first: int, last: int) -> list[ProposalRecord]:
        """The proposals for the births from ``first`` to ``last``, in the order of births and positions."""
        return self._read(proposals.of_births, run_id, first, last)

    def refused_proposals(self, run_id: int, before: int, most: int) -> list[ProposalRecord]:
        """The last proposals for births below ``before`` that were invalid or known, at most ``most``, oldest first."""
        return self._read(proposals.refused, run_id, before, most)

    def proposal_totals(self, run_id: int, before: int) -> list[ProposalTotals]:
        """The calls and tokens of each operator from outside for births below ``before``."""
        return self._read(proposals.totals, run_id, before)
