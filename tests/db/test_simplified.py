"""Simplified programs on every database: kept with their individual, and no individual of the run."""

from collections.abc import Callable

import pytest

from germline.db.errors import InvalidRecord, RecordConflict, UnknownRun
from germline.db.records import Individual, RunRecord
from germline.db.store import Store

Born = Callable[..., Individual]
SMALLER = "def train(w, g, lr):\n  update = g * lr\n  return update\n"
STEPS = {"steps": [{"rule": "dead code", "went": "1 statement"}], "ablation": None, "margin": 0.1}


@pytest.fixture
def run(store: Store, make_run: Callable[..., RunRecord], born: Born) -> RunRecord:
    """Two births."""
    run = make_run("first")
    store.add_individuals(run.id, "optimizer", [born(0), born(1, 0)])
    return run


def test_the_latest_simplification_of_an_individual_is_read_back(store: Store, run: RunRecord) -> None:
    assert store.simplified("first", 1) is None
    assert store.add_simplified("first", 1, SMALLER, "print-small", STEPS)
    record = store.simplified("first", 1)
    assert record is not None
    assert (record.birth, record.genome, record.fingerprint, record.steps) == (1, SMALLER, "print-small", STEPS)
    assert not store.add_simplified("first", 1, SMALLER, "print-small", STEPS)
    assert store.add_simplified("first", 1, SMALLER, "print-small", {"steps": []})
    latest = store.simplified("first", 1)
    assert latest is not None and latest.steps == {"steps": []} and store.simplified("first", 0) is None


def test_a_simplification_does_not_disturb_the_run(store: Store, run: RunRecord) -> None:
    before = list(store.individuals(run.id))
    store.add_simplified("first", 0, before[1].genome, before[1].fingerprint, STEPS)
    store.add_simplified("first", 1, SMALLER, "print-small", STEPS)
    assert list(store.individuals(run.id)) == before and store.runs()[0].births == 2
    assert store.check() == []


def test_what_cannot_be_kept_is_refused(store: Store, run: RunRecord) -> None:
    with pytest.raises(UnknownRun):
        store.add_simplified("second", 0, SMALLER, "print-small", STEPS)
    with pytest.raises(RecordConflict):
        store.add_simplified("first", 2, SMALLER, "print-small", STEPS)
    for genome, steps in (("\0", STEPS), (SMALLER, {"loss": float("nan")})):
        with pytest.raises(InvalidRecord):
            store.add_simplified("first", 0, genome, "print-small", steps)
    assert store.simplified("first", 0) is None and store.check() == []
