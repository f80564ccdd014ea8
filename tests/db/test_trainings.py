"""Trainings of tuned comparisons, and verdicts on individuals."""

from collections.abc import Callable
from math import nan

import pytest

from germline.db.errors import InvalidRecord, RecordConflict, UnknownRun
from germline.db.records import Individual, RunRecord, TrainingRecord
from germline.db.store import Store

OK = TrainingRecord("a training", 7, "ok", -1.25, {"curve_00": 3.5, "curve_01": nan}, 0.5, None)
FAILED = TrainingRecord("another", 7, "diverged", None, {"step": 10.0}, 0.25, "not finite by step 10")


def test_trainings_come_back_by_text_and_seed(store: Store) -> None:
    store.add_trainings("digits-mlp", "1", 0, [OK, FAILED])
    keys = [("a training", 7), ("a training", 8), ("another", 7), ("none", 7)]
    found = store.trainings("digits-mlp", "1", 0, keys)
    assert list(found) == [("a training", 7), ("another", 7)] or set(found) == {("a training", 7), ("another", 7)}
    assert found["another", 7] == FAILED and found["a training", 7].fitness == -1.25
    assert repr(dict(found["a training", 7].measures)) == repr(dict(OK.measures))
    others = [("mnist5k-conv", "1", 0), ("digits-mlp", "2", 0), ("digits-mlp", "1", 1)]
    assert [store.trainings(*other, keys) for other in others] == [{}, {}, {}]
    assert store.check() == []


def test_a_training_is_recorded_once(store: Store) -> None:
    store.add_trainings("digits-mlp", "1", 0, [OK])
    later = TrainingRecord("a training", 7, "ok", -9.0, {}, 1.0, None)
    store.add_trainings("digits-mlp", "1", 0, [later, FAILED])
    assert store.trainings("digits-mlp", "1", 0, [("a training", 7)])["a training", 7].fitness == -1.25
    assert len(store.trainings("digits-mlp", "1", 0, [("another", 7)])) == 1


def test_a_training_that_cannot_be_is_refused(store: Store) -> None:
    for status, fitness in (("ok", None), ("diverged", 1.0), ("ok", nan), ("none", None)):
        with pytest.raises(InvalidRecord):
            store.add_trainings("digits-mlp", "1", 0, [TrainingRecord("t", 0, status, fitness, {}, 0.0, None)])


def test_the_latest_verdict_on_an_individual(
    store: Store, make_run: Callable[..., RunRecord], born: Callable[..., Individual]
) -> None:
    run = make_run()
    store.add_individuals(run.id, "optimizer", [born(0), born(1)])
    assert store.verdict("first", 1) is None
    store.add_verdict("first", 1, {"lines": ["undecided"]})
    store.add_verdict("first", 1, {"lines": ["better"]})
    record = store.verdict("first", 1)
    assert record is not None and record.birth == 1 and record.content == {"lines": ["better"]}
    assert store.verdict("first", 0) is None and store.check() == []
    with pytest.raises(RecordConflict):
        store.add_verdict("first", 5, {})
    with pytest.raises(UnknownRun):
        store.verdict("second", 0)
