"""The guarantees of the store, on every database."""

import math
import struct
from collections.abc import Callable
from dataclasses import FrozenInstanceError
from typing import Any

import pytest

from germline.db.errors import (
    InvalidRecord,
    RecordConflict,
    RunExists,
    UnknownBirth,
    UnknownRun,
)
from germline.db.records import ArtifactRecord, EvaluationRecord, Individual, RunRecord
from germline.db.store import Store

MakeRun = Callable[..., RunRecord]
Born = Callable[..., Individual]
Scored = Callable[..., EvaluationRecord]


def test_a_run_is_read_back_as_it_was_created(store: Store, make_run: MakeRun) -> None:
    config = {"births": 100, "rate": 1e-320, "nested": {"list": [1, 2.5, None, True, "ü"]}}
    run = make_run("lion-1", seed=2**63 - 1, config=config, environment={"torch": "2.6"})
    assert store.run("lion-1") == run
    assert run.config == config
    assert run.environment == {"torch": "2.6"}
    assert (run.seed, run.status, run.seconds) == (2**63 - 1, "running", 0.0)


def test_records_are_frozen(make_run: MakeRun) -> None:
    with pytest.raises(FrozenInstanceError):
        make_run().name = "other"  # type: ignore[misc]


@pytest.mark.slow
def test_a_run_without_a_name_gets_the_first_unused_number_of_its_kind(store: Store, make_run: MakeRun) -> None:
    make_run("optimizer-2")
    names = [make_run(None).name, make_run(None).name, make_run(None, kind="policy").name]
    assert names == ["optimizer-1", "optimizer-3", "policy-1"]


def test_a_name_in_use_is_refused_and_its_run_is_unchanged(store: Store, make_run: MakeRun) -> None:
    first = make_run("taken", seed=1)
    with pytest.raises(RunExists, match="'taken' exists already"):
        make_run("taken", seed=2)
    assert store.run("taken") == first


@pytest.mark.parametrize("name", ["", "../up", "a:3", "-x", "a b", "x\x1b[31m", "n" * 101])
def test_a_name_that_could_be_a_path_or_a_reference_is_refused(make_run: MakeRun, name: str) -> None:
    with pytest.raises(InvalidRecord, match="a run's name"):
        make_run(name)


@pytest.mark.parametrize(
    "changed",
    [{"seed": 2**63}, {"seed": -1}, {"config": {"x": math.inf}}, {"config": {"x": object()}}, {"task": "nul\0"}],
)
def test_values_that_the_tables_cannot_store_exactly_are_refused(
    store: Store, make_run: MakeRun, changed: dict[str, Any]
) -> None:
    with pytest.raises(InvalidRecord):
        make_run("odd", **changed)
    assert store.runs() == []


def test_the_error_of_an_unknown_run_suggests_the_nearest_name(store: Store, make_run: MakeRun) -> None:
    make_run("digits-long")
    with pytest.raises(UnknownRun, match="no run 'digits-lang': did you mean 'digits-long'\\? `germline runs`"):
        store.run("digits-lang")


def test_individuals_are_read_in_order_of_birth_with_their_parents_in_order(
    store: Store, make_run: MakeRun, born: Born
) -> None:
    run, other = make_run("first"), make_run("second")
    records = [born(0), born(1), born(2, 1, 0), born(3, 2, 2), born(4, 0, fingerprint="print-1", cached_from=1)]
    store.add_individuals(run.id, "optimizer", [records[1], records[0]])
    store.add_individuals(run.id, "optimizer", records[2:])
    store.add_individuals(other.id, "optimizer", [born(0)])
    assert list(store.individuals(run.id)) == records


@pytest.mark.slow
def test_many_individuals_and_evaluations_are_read_in_order(
    store: Store, make_run: MakeRun, born: Born, scored: Scored
) -> None:
    run = make_run()
    records = [born(0), *(born(birth, birth - 1) for birth in range(1, 5003))]
    outcomes = [scored(birth, float(birth)) for birth in reversed(range(5003))]
    store.add_individuals(run.id, "optimizer", records)
    store.add_evaluations(run.id, outcomes)
    assert list(store.individuals(run.id)) == records
    assert list(store.evaluations(run.id)) == outcomes


def test_rows_can_be_written_while_individuals_are_read(store: Store, make_run: MakeRun, born: Born) -> None:
    run = make_run()
    store.add_individuals(run.id, "optimizer", [born(0), born(1)])
    births = []
    for record in store.individuals(run.id):
        births.append(record.birth)
        if record.birth < 5:
            store.add_individuals(run.id, "optimizer", [born(record.birth + 2)])
    assert births[:2] == [0, 1]
    assert len(list(store.individuals(run.id))) == 2 + len([birth for birth in births if birth < 5])


def test_individuals_may_share_a_genome(store: Store, make_run: MakeRun, born: Born) -> None:
    run = make_run()
    store.add_individuals(run.id, "optimizer", [born(0, genome="same"), born(1, genome="same")])
    store.add_individuals(run.id, "optimizer", [born(2, genome="same")])
    assert [record.genome for record in store.individuals(run.id)] == ["same"] * 3
    assert store.check() == []


@pytest.mark.parametrize(
    "genome", ["", "tab\tline\r\nend ", "ünïcode 🧬", "</script>'; DROP TABLE run; --", "x" * 10**6]
)
def test_the_text_of_a_genome_is_preserved_exactly(store: Store, make_run: MakeRun, born: Born, genome: str) -> None:
    run = make_run()
    store.add_individuals(run.id, "optimizer", [born(0, genome=genome)])
    assert store.individual("first", 0).individual.genome == genome


def test_no_individual_of_a_batch_with_an_invalid_record_is_added(store: Store, make_run: MakeRun, born: Born) -> None:
    run = make_run()
    store.add_individuals(run.id, "optimizer", [born(0)])
    for conflicting in ([born(1), born(0)], [born(1), born(2, 9)], [born(1, 1)], [born(1, cached_from=1)]):
        with pytest.raises(RecordConflict, match=r"births \d to \d of run \d+: recorded already"):
            store.add_individuals(run.id, "optimizer", conflicting)
    for invalid in ([born(1), born(2, operator="insert")], [born(1, genome="\0")], [born(1, 0, operator="seed")]):
        with pytest.raises(InvalidRecord):
            store.add_individuals(run.id, "optimizer", invalid)
    assert [record.birth for record in store.individuals(run.id)] == [0]
    assert store.check() == []


@pytest.mark.slow
def test_an_evaluation_is_recorded_once_for_each_task_rung_and_seed(
    store: Store, make_run: MakeRun, born: Born, scored: Scored
) -> None:
    run = make_run()
    store.add_individuals(run.id, "optimizer", [born(0), born(1, fingerprint="print-0", cached_from=0)])
    different = [
        scored(0, 1.0),
        scored(0, 2.0, rung=1),
        scored(0, 3.0, seed=2**62),
        scored(0, None, rung=1, seed=1),
        scored(0, 4.0, task="mnist5k-conv"),
    ]
    store.add_evaluations(run.id, different)
    for again in ([scored(0, 5.0)], [scored(0, 5.0, rung=2), scored(1, 5.0, fingerprint="print-0")]):
        with pytest.raises(RecordConflict, match="recorded already"):
            store.add_evaluations(run.id, again)
    with pytest.raises(RecordConflict):
        store.add_evaluations(run.id, [scored(7, 1.0)])
    assert list(store.evaluations(run.id)) == different
    reviews = store.reviews(run.id, "print-0")
    assert [(review.task, review.rung, review.fitness) for review in reviews] == [
        ("digits-mlp", 0, 1.0),
        ("digits-mlp", 0, 3.0),
        ("digits-mlp", 1, 2.0),
        ("digits-mlp", 1, None),
        ("mnist5k-conv", 0, 4.0),
    ]
    assert store.reviews(run.id, "print-9") == []


@pytest.mark.parametrize(
    "changed",
    [
        {"status": "fine"},
        {"status": "timeout"},
        {"fitness": math.nan},
        {"fitness": -math.inf},
        {"seed": 2**64},
        {"seconds": math.nan},
        {"worker": "half \ud800"},
    ],
)
def test_an_invalid_evaluation_is_refused(
    store: Store, make_run: MakeRun, born: Born, scored: Scored, changed: dict[str, Any]
) -> None:
    run = make_run()
    store.add_individuals(run.id, "optimizer", [born(0)])
    with pytest.raises(InvalidRecord):
        store.add_evaluations(run.id, [scored(0, **({"fitness": 1.0} | changed))])
    assert list(store.evaluations(run.id)) == []


def test_floats_are_preserved_exactly(store: Store, make_run: MakeRun, born: Born, scored: Scored) -> None:
    values = [math.inf, -math.inf, math.nan, -0.0, 0.0, 1e-320, 5e-324, 0.1, 1 / 3, 1.7976931348623157e308, 3.0, 1e22]
    named = {f"value {index}": value for index, value in enumerate(values)}
    run = make_run()
    store.add_individuals(run.id, "optimizer", [born(0), born(1)])
    store.add_evaluations(
        run.id, [scored(0, -1 / 3, objectives=named, measures=named, seconds=1e-320), scored(1, -0.0)]
    )
    first, second = store.evaluations(run.id)
    for floats in (first.objectives, first.measures):
        assert list(floats) == list(named)
        assert [struct.pack("<d", value) for value in floats.values()] == [struct.pack("<d", value) for value in values]
    assert (first.fitness, first.seconds) == (-1 / 3, 1e-320)
    assert second.fitness is not None and struct.pack("<d", second.fitness) == struct.pack("<d", -0.0)


def test_unstorable_characters_in_an_error_text_are_replaced(
    store: Store, make_run: MakeRun, born: Born, scored: Scored
) -> None:
    run = make_run()
    store.add_individuals(run.id, "optimizer", [born(0)])
    store.add_evaluations(run.id, [scored(0, None, status="crashed", error="exit \0 \udcff -11")])
    (outcome,) = store.evaluations(run.id)
    assert outcome.error == "exit \ufffd \ufffd -11"


def test_driver_seconds_of_batches_and_releases_add_up(
    store: Store, make_run: MakeRun, born: Born, scored: Scored
) -> None:
    run = make_run()
    store.add_individuals(run.id, "optimizer", [born(0)])
    store.add_evaluations(run.id, [scored(0, 1.0)], seconds=1.5)
    store.release(run.id, "stopped", 2.0)
    store.claim(run.id)
    store.release(run.id, "finished", 0.25)
    assert (store.run("first").seconds, store.run("first").status) == (3.75, "finished")


def test_a_stop_request_is_pending_until_it_is_handled(store: Store, make_run: MakeRun) -> None:
    run, other = make_run("first"), make_run("second")
    store.request_stop("first")
    assert (store.stop_requested(run.id), store.stop_requested(other.id)) == (True, False)
    store.handle_requests(run.id)
    assert not store.stop_requested(run.id)
    with pytest.raises(UnknownRun):
        store.request_stop("third")


def test_artifacts_are_listed_in_the_order_of_export(store: Store, make_run: MakeRun, born: Born) -> None:
    run = make_run()
    store.add_individuals(run.id, "optimizer", [born(0)])
    store.add_artifact("first", 0, "torch", "lion.py", "ab" * 32)
    store.add_artifact("first", 0, "optax", "lion_optax.py", "cd" * 32)
    first, second = store.artifacts("first")
    assert first == ArtifactRecord(0, "torch", "lion.py", "ab" * 32, first.created)
    assert second.target == "optax"
    with pytest.raises(RecordConflict, match="birth 5"):
        store.add_artifact("first", 5, "torch", "none.py", "ab" * 32)


def test_the_error_of_an_unknown_birth_names_the_range_of_births(store: Store, make_run: MakeRun, born: Born) -> None:
    run = make_run()
    with pytest.raises(UnknownBirth, match="'first' has no births yet, got 0"):
        store.individual("first", 0)
    store.add_individuals(run.id, "optimizer", [born(0), born(1)])
    for birth in (2, -1, 2**70):
        with pytest.raises(UnknownBirth, match=f"'first' has births 0 to 1, got {birth}"):
            store.individual("first", birth)
        with pytest.raises(UnknownBirth):
            store.lineage("first", birth)


def test_a_second_store_reads_the_rows_of_the_first(url: str, store: Store, make_run: MakeRun, born: Born) -> None:
    run = make_run()
    store.add_individuals(run.id, "optimizer", [born(0), born(1, 0)])
    with Store(url, create=False) as second:
        assert list(second.individuals(run.id)) == [born(0), born(1, 0)]
        assert second.runs() == store.runs()


def test_a_block_has_its_outcomes_and_is_the_last_complete_block_if_no_number_is_given(
    store: Store, make_run: MakeRun, born: Born, scored: Scored
) -> None:
    run = make_run()
    assert store.block("first") == []
    store.add_individuals(run.id, "optimizer", [born(birth) for birth in range(10)])  # four in a block
    assert store.block("first") == []
    store.add_evaluations(run.id, [scored(birth, float(birth)) for birth in (0, 1, 2, 3, 4, 5, 7)])
    assert [scored.individual.birth for scored in store.block("first")] == [0, 1, 2, 3]
    assert [scored.evaluation for scored in store.block("first", 1)][2:] == [None, scored(7, 7.0)]
    store.add_evaluations(run.id, [scored(birth, None) for birth in (6, 8, 9)])
    assert [scored.individual.birth for scored in store.block("first")] == [8, 9]
    assert store.block("first", 3) == []
