"""Renaming and deleting runs: all of one run, nothing of another, in one transaction."""

from typing import Any

import pytest

from germline.db.errors import InvalidRecord, RecordConflict, RunBusy, RunExists, UnknownRun
from germline.db.records import EvaluationRecord, Individual, Snapshot, Winner
from germline.db.store import Store
from germline.db.tags import tags_of


def add_run(store: Store, name: str, genomes: list[str]) -> int:
    """A run with a row in each table that belongs to runs."""
    run = store.create_run(name, "optimizer", "line", "quick", 0, {}, {})
    births = [
        Individual(i, 0, () if i == 0 else (i - 1,), "seed" if i == 0 else "tune", genome, f"print {genome}", None, i)
        for i, genome in enumerate(genomes)
    ]
    store.add_individuals(run.id, "optimizer", births)
    scored = [EvaluationRecord(i.birth, i.fingerprint, "line", 0, 0, "ok", 1.0, {}, {}, 0.1, "w", None) for i in births]
    store.add_evaluations(run.id, scored, 1.0, [Winner(0, 0)], Snapshot(0, "state"))
    store.add_artifact(name, 0, "torch", "found.py", "0" * 64)
    store.add_simplified(name, 0, f"simple {name}", "print", {"steps": []})
    store.request_stop(name)
    store.release(run.id, "finished", 0.0)
    return run.id


def rows(store: Store, run: str) -> Any:
    """Everything that can be read of a run."""
    record = store.run(run)
    return (
        record,
        list(store.individuals(record.id)),
        list(store.evaluations(record.id)),
        store.winners(run),
        store.snapshot(record.id),
        store.artifacts(run),
        store.simplified(run, 0),
        store.stop_requested(record.id),
    )


def test_a_deleted_run_leaves_the_others_as_they_are(store: Store) -> None:
    add_run(store, "kept", ["a", "b"])
    add_run(store, "gone", ["b", "c", "d"])
    before = rows(store, "kept")
    assert store.delete_run("gone") == 3
    assert [run.name for run in store.runs()] == ["kept"]
    assert rows(store, "kept") == before and store.check() == []
    with pytest.raises(UnknownRun):
        store.run("gone")
    add_run(store, "gone", ["b", "c", "d", "e"])  # its name, and the genomes that went with it, can come again
    assert [each.genome for each in store.individuals(store.run("gone").id)] == ["b", "c", "d", "e"]
    assert store.check() == []


def test_genomes_of_no_other_run_are_removed(store: Store) -> None:
    add_run(store, "kept", ["a", "b"])
    add_run(store, "gone", ["b", "c", "d"])
    store.delete_run("gone")
    assert texts(store) == ["a", "b", "simple kept"]


def texts(store: Store) -> list[str]:
    from sqlalchemy import select

    from germline.db.schema import genome

    query = select(genome.c.text).order_by(genome.c.text)
    return store._database.read(lambda connection: list(connection.scalars(query)))


def test_a_deletion_that_fails_removes_nothing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    add_run(store, "first", ["a", "b"])
    before = rows(store, "first")
    from germline.db import runs

    tables = [table for table in runs._tables_of_runs() if table.name != "individual"]
    monkeypatch.setattr(runs, "_tables_of_runs", lambda: tables)  # births that the run still has
    with pytest.raises(RecordConflict):
        store.delete_run("first")
    assert rows(store, "first") == before and store.check() == []


def test_a_renamed_run_keeps_its_records(store: Store) -> None:
    add_run(store, "first", ["a", "b"])
    record, *before = rows(store, "first")
    store.rename_run("first", "second")
    renamed, *after = rows(store, "second")
    assert after == before and (renamed.id, renamed.seed, renamed.created) == (record.id, record.seed, record.created)
    assert [run.name for run in store.runs()] == ["second"]


def test_a_name_is_given_once(store: Store) -> None:
    add_run(store, "first", ["a"])
    add_run(store, "second", ["a"])
    with pytest.raises(RunExists, match="'second' exists already"):
        store.rename_run("first", "second")
    store.rename_run("first", "first")
    for name in ("a:b", "", "x/y"):
        with pytest.raises(InvalidRecord):
            store.rename_run("first", name)


@pytest.mark.parametrize(
    "change", [lambda store: store.delete_run("first"), lambda store: store.rename_run("first", "b")]
)
def test_a_run_of_another_live_process_is_left_alone(
    store: Store, change: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = store.create_run("first", "optimizer", "line", "quick", 0, {}, {})
    from germline.db import owner

    driver = owner.this_process()
    monkeypatch.setattr(owner, "this_process", lambda: f"{driver}0")
    with pytest.raises(RunBusy, match="germline stop first"):
        change(store)
    assert store.run("first").id == run.id


def test_tags_are_added_and_removed_and_change_nothing_else(store: Store) -> None:
    add_run(store, "first", ["a", "b"])
    add_run(store, "second", ["a"])
    record, *before = rows(store, "first")
    assert store.tag_run("first", ["paper", "a/b", "paper"]) == ("a/b", "paper")
    assert store.tag_run("first", ["Übung"], ["paper"]) == ("a/b", "Übung")
    assert {run.name: run.tags for run in store.runs()} == {"first": ("a/b", "Übung"), "second": ()}
    tagged, *after = rows(store, "first")
    assert after == before and tagged.config == record.config and store.check() == []
    assert store.tag_run("first", (), ["a/b", "Übung", "never"]) == ()
    with pytest.raises(UnknownRun):
        store.tag_run("frist", ["x"])
    for tag in ("", "two words", "-x", "a,b", "x" * 65, "\x1b[31m"):
        with pytest.raises(InvalidRecord, match="expected a tag"):
            store.tag_run("first", [tag])


def test_what_is_no_tag_in_a_foreign_database_is_left_out() -> None:
    assert tags_of('{"tags": ["a", 1, "two words", null, "b"]}') == ("a", "b")
    for text in ("", "[]", "{", '{"tags": "a"}', "[" * 100_000):
        assert tags_of(text) == ()
