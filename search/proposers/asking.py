"""Settles what a strategy wants asked of operators from outside, by records first.

A proposal that is recorded is read back and nobody is asked again; a new one is recorded before anything follows from
it. So a lineage is exact although operators are not. A proposal is accepted if the space reads it, does not refuse it,
and the run has no birth that computes the same. Otherwise the operator is told the reason once; after a second refusal,
or without an answer, the genome that the strategy itself has bred is born.
"""

import logging
import re
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from germline.db.records import ProposalRecord
from germline.db.to_rows import storable
from germline.evaluators.errors import one_line
from germline.programs.space import Space
from germline.search.failures import SearchFailed
from germline.search.individual import Ask, Proposal
from germline.search.journal import Journal
from germline.search.known_outcomes import KnownOutcomes
from germline.search.proposers.names import is_file
from germline.search.proposers.operator import Operator
from germline.search.proposers.request import Refusal, Request
from germline.search.proposers.showing import Showing

log = logging.getLogger(__name__)

PROPOSALS = 2
"""Proposals for a birth: the first, and another after its refusal."""
REFUSALS = 6
"""The latest refusals that a request shows."""
MOST_FAILURES = 10
"""The search ends when an operator has given no answer so many times in a row."""

_BLOCK = re.compile(r"```[^\n`]*\n(.*?)```", re.DOTALL)


class NotRecorded(LookupError):
    """A replay would have to ask an operator, because a proposal is not recorded."""


@dataclass(frozen=True)
class Cap:
    """Limits on what an operator may use in a run; no call is made once one is reached."""

    calls: int
    tokens: int


@dataclass(frozen=True)
class Facts:
    """What every request says: the kind and the task of the run, and how genomes are written."""

    kind: str = ""
    task: str = ""
    language: str = ""


class Asking:
    """Asks the operators of a run.

    Args:
        space: of the genomes.
        journal: where proposals are recorded and read back from.
        known: the outcomes and fingerprints of the run.
        operators: by name; without an operator (a replay) everything has to be recorded.
        caps: limits by the name of the operator; without an entry there are none.
        facts: see `Facts`.
    """

    def __init__(
        self,
        space: Space[Any],
        journal: Journal,
        known: KnownOutcomes,
        operators: Mapping[str, Operator],
        caps: Mapping[str, Cap],
        facts: Facts,
    ) -> None:
        self.space = space
        self.journal = journal
        self.known = known
        self.operators = operators
        self.caps = caps
        self.facts = facts
        self.showing = Showing(journal, known)
        self.used: dict[str, Cap] | None = None
        """Calls and tokens of each operator so far; None until the first question."""
        self.refusals: deque[Refusal] = deque(maxlen=REFUSALS)
        self.failures: dict[str, int] = {}
        """How often in a row each operator has given no answer."""
        self.last_failure: str | None = None
        self.heard: set[str] = set()
        """Operators of which a proposal was accepted, or whose first proposal was invalid and warned of."""

    def settled(self, births: Sequence[int], proposals: Sequence[Proposal]) -> list[Proposal]:
        """The proposals of successive births of a block, each as it is born.

        Raises:
            SearchFailed: an operator has given no answer `MOST_FAILURES` times in a row.
            NotRecorded: there is no operator, and a proposal is not recorded.
        """
        if not any(proposal.ask for proposal in proposals):
            return list(proposals)
        self._begin(births[0])
        recorded: dict[int, list[ProposalRecord]] = {}
        for record in self.journal.proposals(births[0], births[-1]):
            recorded.setdefault(record.birth, []).append(record)
        of_block: dict[str, int] = {}
        result = []
        for birth, proposal in zip(births, proposals, strict=True):
            if proposal.ask is not None:
                proposal = self._settled(birth, proposal, proposal.ask, recorded.get(birth, []), of_block)
            of_block.setdefault(self.space.fingerprint(proposal.genome), birth)
            result.append(proposal)
        return result

    def _begin(self, birth: int) -> None:
        """Reads, once, what the proposals before a birth have used, and their latest refusals."""
        if self.used is None:
            self.used = {
                total.operator: Cap(total.calls, total.tokens) for total in self.journal.proposal_totals(birth)
            }
            for record in self.journal.refused_proposals(birth, REFUSALS):
                self.refusals.append(Refusal(record.answer, record.reason or ""))

    def _settled(
        self, birth: int, proposal: Proposal, ask: Ask, recorded: Sequence[ProposalRecord], of_block: Mapping[str, int]
    ) -> Proposal:
        parent = proposal.parents[0]
        refused = 0
        lately = tuple(self.refusals)  # without those of this birth, whichever session they are of
        request: Request | None = None
        for position in range(PROPOSALS):
            if position < len(recorded):
                record = recorded[position]
            else:
                if self._is_used_up(ask.operator):
                    break
                if ask.operator not in self.operators:
                    raise NotRecorded(f"birth {birth}: the search asks {ask.operator}, no proposal is recorded")
                request = request or self._request(birth, parent, ask, lately)
                told = self.refusals[-1] if position else None
                request = replace(request, refused=told, calls_left=self._calls_left(ask.operator))
                record = self._asked(birth, position, request, ask.operator, of_block)
            self._count(record)
            if record.status == "accepted":
                genome = self.space.read(genome_text(record.answer))
                return Proposal(genome, (parent,), ask.operator, refused)
            if record.status == "failed":
                break
            refused += 1
        return replace(proposal, rejected=proposal.rejected + refused, ask=None)

    def _is_used_up(self, operator: str) -> bool:
        assert self.used is not None
        cap, used = self.caps.get(operator), self.used.get(operator, Cap(0, 0))
        return cap is not None and (used.calls >= cap.calls or used.tokens >= cap.tokens)

    def _calls_left(self, operator: str) -> int | None:
        assert self.used is not None
        cap = self.caps.get(operator)
        return None if cap is None else cap.calls - self.used.get(operator, Cap(0, 0)).calls

    def _request(self, birth: int, parent: int, ask: Ask, lately: tuple[Refusal, ...]) -> Request:
        shown = self.showing.of(parent, ask)
        facts = (self.facts.kind, self.facts.task, self.facts.language)
        others = (shown.biography, shown.good, shown.far)
        return Request(birth, ask.seed, *facts, shown.parent, *others, lately)

    def _asked(
        self, birth: int, position: int, request: Request, operator: str, of_block: Mapping[str, int]
    ) -> ProposalRecord:
        """Asks an operator, judges what it answers, and records both."""
        answer = self.operators[operator].ask(request)
        text = storable(answer.text)
        if answer.error is None:
            status, reason = self._judged(genome_text(text), of_block)
            self.failures[operator] = 0
            if status == "invalid" and operator not in self.heard:
                log.warning("the first proposal of the operator %s is refused (%s)", operator, reason)
            if status != "known":
                self.heard.add(operator)
        else:
            status, reason = "failed", one_line(answer.error)
            self._warn(operator, reason)
        tokens = (answer.prompt_tokens, answer.answer_tokens)
        texts = (answer.request or request.record(), answer.model)
        record = ProposalRecord(birth, position, operator, status, reason, answer.calls, *texts, *tokens, text)
        self.journal.record_proposal(record)
        if self.failures[operator] >= MOST_FAILURES:
            raise SearchFailed(
                f"the operator {operator} gave no answer {self.failures[operator]} times in a row; the last time: "
                f"{reason}. Once it answers, resume the run{_naming(operator)}"
            )
        return record

    def _judged(self, text: str, of_block: Mapping[str, int]) -> tuple[str, str | None]:
        """The status of a proposal, and the reason if it is not accepted."""
        try:
            genome = self.space.read(text)
            why = self.space.refuses(genome)
        except (ValueError, RecursionError) as invalid:
            why = str(invalid) or type(invalid).__name__
        if why is not None:
            return "invalid", one_line(why)
        fingerprint = self.space.fingerprint(genome)
        self.known.meet([fingerprint])
        first = of_block.get(fingerprint, self.known.first_births.get(fingerprint))
        if first is None:
            return "accepted", None
        # Without the fitness of that birth: whether it is known already depends on time.
        return "known", f"expected a genome that is new in the run, got what computes the same as birth {first}"

    def _count(self, record: ProposalRecord) -> None:
        assert self.used is not None
        used = self.used.get(record.operator, Cap(0, 0))
        tokens = used.tokens + record.prompt_tokens + record.answer_tokens
        self.used[record.operator] = Cap(used.calls + record.calls, tokens)
        if record.status in ("invalid", "known"):
            self.refusals.append(Refusal(record.answer, record.reason or ""))

    def _warn(self, operator: str, reason: str) -> None:
        self.failures[operator] = self.failures.get(operator, 0) + 1
        if reason != self.last_failure:
            log.warning("the operator %s gave no answer (%s); another operator takes its place", operator, reason)
        self.last_failure = reason


def _naming(operator: str) -> str:
    """What else resuming a run with this operator needs; empty if nothing."""
    return f" with --operator and the path of {operator}" if is_file(operator) else ""


def genome_text(answer: str) -> str:
    """The genome in an answer: the last block between lines of three backticks or, without any, the whole answer."""
    blocks = _BLOCK.findall(answer)
    return str(blocks[-1] if blocks else answer).strip() + "\n"
