"""Proposals of operators from outside: what is recorded is read back, and answers are stored once."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from sqlalchemy import select

from germline.db.errors import InvalidRecord, RecordConflict
from germline.db.records import Individual, ProposalRecord, ProposalTotals
from germline.db.schema import answer
from germline.db.store import Store

RECORD = ProposalRecord(5, 0, "llm", "invalid", "expected a program", 2, "ask", "tiny", 100, 20, "a poem")


@pytest.fixture
def run_id(store: Store) -> int:
    return store.create_run("r", "optimizer", "digits-mlp", "quick", 1, {}, {}).id


def test_proposals_are_read_back_by_birth_and_position_before_the_birth_is_recorded(store: Store, run_id: int) -> None:
    records = [
        RECORD,
        replace(RECORD, position=1, status="accepted", reason=None, answer="x"),
        replace(RECORD, birth=9),
    ]
    for record in reversed(records):
        store.add_proposal(run_id, record)
    assert store.proposals(run_id, 0, 99) == records
    assert store.proposals(run_id, 6, 9) == records[2:]
    assert store.refused_proposals(run_id, 99, 5) == [records[0], records[2]]
    assert store.refused_proposals(run_id, 99, 1) == [records[2]]
    assert store.refused_proposals(run_id, 9, 5) == [records[0]]
    assert store.proposal_totals(run_id, 9) == [ProposalTotals("llm", 4, 240)]
    assert store.proposal_totals(run_id, 0) == []
    assert store.check() == []


def test_a_proposal_is_recorded_once_and_a_run_that_has_only_proposals_can_be_removed(
    store: Store, run_id: int
) -> None:
    store.add_proposal(run_id, RECORD)
    with pytest.raises(RecordConflict, match="a proposal for birth 5"):
        store.add_proposal(run_id, replace(RECORD, answer="another"))
    assert store.forget(run_id)
    assert store.proposals(run_id, 0, 99) == []


def test_answers_that_no_other_run_has_are_removed_with_a_run(store: Store, run_id: int) -> None:
    other = store.create_run("other", "optimizer", "digits-mlp", "quick", 1, {}, {}).id
    store.add_proposal(run_id, RECORD)
    store.add_proposal(run_id, replace(RECORD, birth=6, answer="its own"))
    store.add_proposal(other, RECORD)
    assert texts(store) == {"a poem", "its own"}
    store.release(run_id, "stopped", 0.0)
    store.delete_run("r")
    assert texts(store) == {"a poem"}
    assert store.proposals(other, 0, 99) == [RECORD]
    assert store.forget(other)
    assert texts(store) == set() and store.check() == []


def texts(store: Store) -> set[str]:
    """The texts of all recorded answers."""
    return set(store._database.read(lambda connection: connection.scalars(select(answer.c.text)).all()))


def test_the_tokens_of_an_answer_may_sum_to_more_than_32_bits_hold(store: Store, run_id: int) -> None:
    store.add_proposal(run_id, replace(RECORD, prompt_tokens=2**31 - 1, answer_tokens=2**31 - 1))
    assert store.proposal_totals(run_id, 9) == [ProposalTotals("llm", 2, 2**32 - 2)]


def test_a_character_that_no_database_can_hold_does_not_cost_the_proposal(store: Store, run_id: int) -> None:
    store.add_proposal(run_id, replace(RECORD, answer="a\0b\ud800", reason="\0"))
    [record] = store.proposals(run_id, 0, 99)
    assert (record.answer, record.reason) == ("a\ufffdb\ufffd", "\ufffd")


@pytest.mark.parametrize("wrong", [{"status": "fine"}, {"calls": -1}, {"answer_tokens": 2**31}])
def test_what_cannot_be_stored_is_refused(wrong: dict[str, int], store: Store, run_id: int) -> None:
    with pytest.raises(InvalidRecord):
        store.add_proposal(run_id, replace(RECORD, **wrong))  # type: ignore[arg-type]


def test_check_names_a_gap_and_an_accepted_proposal_that_was_not_born(
    store: Store, run_id: int, born: Callable[..., Individual]
) -> None:
    store.add_individuals(run_id, "optimizer", [born(0), born(1, 0)])
    store.add_proposal(run_id, replace(RECORD, birth=1, position=0, status="accepted", reason=None))
    store.add_proposal(run_id, replace(RECORD, birth=2, position=1))
    assert store.check() == [
        "run r: 1 birth has a gap in the list of proposals: 2",
        "run r: 1 birth has an accepted proposal, though another operator made it: 1",
    ]
