"""A run without individuals can be forgotten, and no other."""

from collections.abc import Callable

import pytest

from germline.db.errors import UnknownRun
from germline.db.records import Individual, RunRecord
from germline.db.store import Store

MakeRun = Callable[..., RunRecord]


def test_a_run_without_individuals_is_forgotten_and_its_name_is_free(store: Store, make_run: MakeRun) -> None:
    run = make_run()
    store.request_stop("first")
    assert store.forget(run.id)
    assert store.runs() == []
    with pytest.raises(UnknownRun):
        store.run("first")
    assert make_run().name == "first"


def test_a_run_with_individuals_is_kept(store: Store, make_run: MakeRun, born: Callable[..., Individual]) -> None:
    run = make_run()
    store.add_individuals(run.id, "optimizer", [born(0)])
    assert not store.forget(run.id)
    assert [summary.births for summary in store.runs()] == [1]
