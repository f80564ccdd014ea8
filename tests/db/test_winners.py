"""Winners on every database: which winner is the latest, and which winners are refused."""

from collections.abc import Callable

import pytest

from germline.db.errors import RecordConflict, UnknownRun
from germline.db.records import EvaluationRecord, Individual, RunRecord, Winner
from germline.db.store import Store

Born = Callable[..., Individual]
Scored = Callable[..., EvaluationRecord]


@pytest.fixture
def run(store: Store, make_run: Callable[..., RunRecord], born: Born) -> RunRecord:
    """Twelve births in three blocks, without outcomes."""
    run = make_run("first")
    store.add_individuals(run.id, "optimizer", [born(birth) for birth in range(12)])
    return run


def winning_birth(store: Store) -> int | None:
    latest = store.winner("first")
    return None if latest is None else latest.individual.birth


def test_the_winner_is_that_of_the_latest_block_or_of_a_closing_after_it(store: Store, run: RunRecord) -> None:
    assert winning_birth(store) is None
    recorded = [(Winner(0, 3), 3), (Winner(0, 2, closing=True), 2), (Winner(1, 5), 5), (Winner(2, 1), 1)]
    for winner, expected in recorded:
        store.add_winners(run.id, [winner])
        assert winning_birth(store) == expected
    store.add_winners(run.id, [Winner(1, 4, closing=True)])
    assert winning_birth(store) == 1


def test_a_closing_replaces_an_earlier_closing_after_the_same_block(store: Store, run: RunRecord) -> None:
    for birth in (0, 3, 2):
        store.add_winners(run.id, [Winner(-1, birth, closing=True)])
        assert winning_birth(store) == birth


def test_winners_of_complete_blocks_are_read_in_order(store: Store, run: RunRecord) -> None:
    assert store.winners("first") == {}
    store.add_winners(run.id, [Winner(1, 4), Winner(0, None), Winner(1, 3, closing=True)])
    assert list(store.winners("first").items()) == [(0, None), (1, 4)]
    with pytest.raises(UnknownRun):
        store.winners("second")


def test_a_block_without_an_ok_outcome_is_complete_without_a_winning_birth(store: Store, run: RunRecord) -> None:
    store.add_winners(run.id, [Winner(0, None)])
    assert winning_birth(store) is None and store.winners("first") == {0: None}


def test_the_winner_has_its_outcome(store: Store, run: RunRecord, scored: Scored) -> None:
    store.add_evaluations(run.id, [scored(2, 7.0)], winners=[Winner(0, 2)])
    latest = store.winner("first")
    assert latest is not None and latest.evaluation == scored(2, 7.0)


@pytest.mark.parametrize("winner", [Winner(0, 1), Winner(1, 99), Winner(-1, 0), Winner(-2, 0, closing=True)])
def test_a_second_or_unborn_winner_of_a_block_is_refused_with_the_outcomes(
    store: Store, run: RunRecord, scored: Scored, winner: Winner
) -> None:
    store.add_winners(run.id, [Winner(0, 0)])
    with pytest.raises(RecordConflict):
        store.add_evaluations(run.id, [scored(1, 1.0)], winners=[winner])
    with pytest.raises(RecordConflict):
        store.add_winners(run.id, [winner])
    assert store.winners("first") == {0: 0} and list(store.evaluations(run.id)) == []
