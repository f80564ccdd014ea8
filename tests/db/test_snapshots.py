"""The snapshot of a run, and the rows that a search reads when it goes on from a snapshot."""

from collections.abc import Callable

import pytest

from germline.db.errors import RecordConflict
from germline.db.records import EvaluationRecord, Individual, RunRecord, Snapshot, Winner
from germline.db.store import Store

MakeRun = Callable[..., RunRecord]
Born = Callable[..., Individual]
Scored = Callable[..., EvaluationRecord]


def test_a_later_snapshot_replaces_the_last_of_the_same_run(
    store: Store, make_run: MakeRun, born: Born, scored: Scored
) -> None:
    first, second = make_run("first"), make_run("second")
    for run in (first, second):
        store.add_individuals(run.id, "optimizer", [born(0), born(1)])
    assert store.snapshot(first.id) is None
    store.add_evaluations(first.id, [scored(0, 1.0)], winners=[Winner(0, 0)], snapshot=Snapshot(0, "one"))
    store.add_winners(second.id, [Winner(0, None)], Snapshot(0, "other"))
    store.add_evaluations(first.id, [scored(1, 1.0)], winners=[Winner(1, 0)], snapshot=Snapshot(1, "two"))
    store.add_winners(first.id, [Winner(2, 0)])
    assert store.snapshot(first.id) == Snapshot(1, "two")
    assert store.snapshot(second.id) == Snapshot(0, "other")
    assert store.winners("first", 1) == {1: 0, 2: 0}


def test_a_snapshot_is_recorded_with_its_outcomes_or_not_at_all(
    store: Store, make_run: MakeRun, born: Born, scored: Scored
) -> None:
    run = make_run()
    store.add_individuals(run.id, "optimizer", [born(0)])
    with pytest.raises(RecordConflict):
        store.add_evaluations(run.id, [scored(0, 1.0), scored(0, 1.0)], snapshot=Snapshot(0, "one"))
    assert store.snapshot(run.id) is None


def test_individuals_and_evaluations_are_read_by_their_names(
    store: Store, make_run: MakeRun, born: Born, scored: Scored
) -> None:
    run, other = make_run("run"), make_run("other")
    births = [born(0), *(born(birth, birth - 1, rejected=birth % 2) for birth in range(1, 1200))]
    for each in (run, other):
        store.add_individuals(each.id, "optimizer", births)
    records = [scored(birth, -0.0) for birth in range(1200)]
    store.add_evaluations(run.id, [*records, scored(7, 2.0, rung=1), scored(7, 3.0, task="mnist5k-conv")])
    wanted = [1100, 7, 0, 9999, *range(100, 800)]
    found = sorted(store.individuals_of(run.id, wanted), key=lambda individual: individual.birth)
    assert found == [births[birth] for birth in sorted(wanted) if birth < 1200]
    outcomes = list(store.evaluations_of(run.id, "digits-mlp", ["print-7", "print-8", "print-none"]))
    assert sorted((each.birth, each.rung, each.fitness) for each in outcomes) == [
        (7, 0, -0.0),
        (7, 1, 2.0),
        (8, 0, -0.0),
    ]
    assert list(store.evaluations_of(other.id, "digits-mlp", ["print-7"])) == []
    assert list(store.individuals_of(run.id, [])) == [] and list(store.evaluations_of(run.id, "digits-mlp", [])) == []
    assert [each.birth for each in store.individuals(run.id, 1195)] == list(range(1195, 1200))
