"""Rows of ``proposal`` and ``answer``: what operators from outside were asked for births, and what they answered.

Answers are content-addressed: a request, the model, its tokens and the text are stored once for all runs. A proposal is
recorded as soon as it is known, before the birth that it is for, so that no operator is ever asked again.
"""

import json
from typing import Any, Final

from sqlalchemy import Connection, Select, func, insert, select

from germline.db import from_rows, to_rows
from germline.db.conflicts import insert_into
from germline.db.errors import InvalidRecord
from germline.db.records import PROPOSAL_STATES, ProposalRecord, ProposalTotals
from germline.db.schema import answer, proposal

_KIND: Final = "answer"
"""What stands for the kind of a genome in the digest of an answer."""
_COLUMNS: Final = from_rows.columns_of(
    ProposalRecord,
    proposal,
    request=answer.c.request,
    model=answer.c.model,
    prompt_tokens=answer.c.prompt_tokens,
    answer_tokens=answer.c.answer_tokens,
    answer=answer.c.text,
)


def digest(request: str, model: str, prompt_tokens: int, answer_tokens: int, text: str) -> str:
    """The key of an answer. Values of other types, as a damaged file has them, give a key too."""
    return to_rows.digest(_KIND, json.dumps([request, model, prompt_tokens, answer_tokens, text], default=repr))


def rows(run_id: int, record: ProposalRecord) -> tuple[dict[str, Any], dict[str, Any]]:
    """The row of ``answer`` and that of ``proposal``. Characters that no database can hold are replaced.

    Raises:
        InvalidRecord: the status is unknown, or a count is negative or does not fit.
    """
    if record.status not in PROPOSAL_STATES:
        expected = ", ".join(PROPOSAL_STATES)
        raise InvalidRecord(f"expected a status of a proposal ({expected}), got {record.status!r:.40}")
    counts = (record.position, record.calls, record.prompt_tokens, record.answer_tokens)
    if min(counts) < 0:
        raise InvalidRecord(f"expected counts of 0 or more, got {', '.join(map(str, counts))}")
    texts = [to_rows.storable(text) for text in (record.request, record.model, record.answer)]
    tokens = [to_rows.checked_integer(count, "tokens", bits=32) for count in counts[2:]]
    key = digest(texts[0], texts[1], tokens[0], tokens[1], texts[2])
    of_answer = dict(zip(answer.c.keys(), (key, texts[0], texts[1], *tokens, texts[2]), strict=True))
    of_proposal = {
        "run_id": run_id,
        "birth": to_rows.checked_integer(record.birth, "a birth", bits=32),
        "position": to_rows.checked_integer(record.position, "a position", bits=32),
        "operator": to_rows.checked_text(record.operator, "an operator"),
        "status": record.status,
        "reason": None if record.reason is None else to_rows.storable(record.reason),
        "calls": to_rows.checked_integer(record.calls, "calls", bits=32),
        "answer": key,
    }
    return of_answer, of_proposal


def add(connection: Connection, of_answer: dict[str, Any], of_proposal: dict[str, Any]) -> None:
    """Adds a proposal, and its answer unless it is there."""
    connection.execute(insert_into(connection, answer).on_conflict_do_nothing(), [of_answer])
    connection.execute(insert(proposal), [of_proposal])


def of_births(connection: Connection, run_id: int, first: int, last: int) -> list[ProposalRecord]:
    """The proposals for the births from ``first`` to ``last``, by birth and position."""
    query = _proposals(run_id).where(proposal.c.birth.between(first, last))
    return _records(connection, query.order_by(proposal.c.birth, proposal.c.position))


def refused(connection: Connection, run_id: int, before: int, most: int) -> list[ProposalRecord]:
    """The last proposals for births below ``before`` that were invalid or known, at most ``most``, oldest first."""
    query = _proposals(run_id).where(proposal.c.birth < before, proposal.c.status.in_(("invalid", "known")))
    newest = query.order_by(proposal.c.birth.desc(), proposal.c.position.desc()).limit(most)
    return _records(connection, newest)[::-1]


def totals(connection: Connection, run_id: int, before: int) -> list[ProposalTotals]:
    """The calls and tokens of each operator for births below ``before``."""
    tokens = func.sum(answer.c.prompt_tokens) + func.sum(answer.c.answer_tokens)  # a sum of both may not fit in 32 bits
    query = (
        select(proposal.c.operator, func.sum(proposal.c.calls), tokens)
        .join(answer, answer.c.digest == proposal.c.answer)
        .where(proposal.c.run_id == run_id, proposal.c.birth < before)
        .group_by(proposal.c.operator)
        .order_by(proposal.c.operator)
    )
    return [from_rows.proposal_totals(row) for row in from_rows.fetch(connection.execute(query))]


def _proposals(run_id: int) -> Select[Any]:
    joined = select(*_COLUMNS).join(answer, answer.c.digest == proposal.c.answer)
    return joined.where(proposal.c.run_id == run_id)


def _records(connection: Connection, query: Select[Any]) -> list[ProposalRecord]:
    return [from_rows.proposal_record(row) for row in from_rows.fetch(connection.execute(query))]
