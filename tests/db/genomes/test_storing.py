"""Genomes are stored as differences and read as whole texts, everywhere."""

from collections.abc import Callable
from typing import Any

import pytest
from long_lineages import lineage, record
from sqlalchemy import text

from germline.db.errors import RecordConflict
from germline.db.genomes import reading, recent
from germline.db.records import EvaluationRecord, Individual
from germline.db.store import Store, history

ROWS = "SELECT digest, base, head, tail, depth, text FROM genome ORDER BY digest"


def select(store: Store, query: str) -> list[tuple[Any, ...]]:
    return store._database.read(lambda connection: [tuple(row) for row in connection.execute(text(query))])


def score(store: Store, run_id: int, births: list[Individual]) -> None:
    outcomes = [
        EvaluationRecord(each.birth, each.fingerprint, "line", 0, 0, "ok", float(each.birth), {}, {}, 0.1, "w", None)
        for each in births
    ]
    store.add_evaluations(run_id, outcomes)


@pytest.mark.slow
def test_every_reader_returns_whole_texts_of_differences(store: Store) -> None:
    births = lineage(150)
    run_id = record(store, "run", births)
    score(store, run_id, births)
    whole = sum(len(each.genome) for each in births)
    assert select(store, "SELECT sum(length(text)) FROM genome")[0][0] < whole / 8
    assert select(store, "SELECT max(depth) FROM genome")[0][0] > 60
    assert list(store.individuals(run_id)) == births
    assert list(store.individuals(run_id, 400)) == births[400:]
    assert sorted(store.individuals_of(run_id, [449, 3, 200]), key=lambda each: each.birth) == [
        *(births[3], births[200], births[449]),
    ]
    assert store.individual("run", 444).individual == births[444]
    assert [each.individual for each in store.scored("run", [7, 320])] == [births[7], births[320]]
    assert [each.individual for each in store.top("run")] == births[::-1]
    assert [each.individual for each in store.block("run", 149)] == births[447:]
    assert all(each.individual == births[each.individual.birth] for each in store.lineage("run", 449))
    assert select(store, "SELECT genome FROM v_best") == [(births[-1].genome,)]
    assert sorted(row[0] for row in select(store, "SELECT text FROM v_genomes")) == sorted(
        each.genome for each in births
    )
    assert store.check() == []


@pytest.mark.slow
def test_a_run_is_read_page_by_page_with_few_rows_read_again(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    births = lineage(150)
    run_id = record(store, "run", births)
    read: list[str] = []

    def counted(*given: Any) -> Any:
        for row in rows(*given):
            read.append(row.digest)
            yield row

    rows = reading._rows
    monkeypatch.setattr(reading, "_rows", counted)
    for characters in (recent.MOST_CHARACTERS, 2000):
        monkeypatch.setattr(recent, "MOST_CHARACTERS", characters)
        for page in (1, 7, 100):
            monkeypatch.setattr(history, "_PAGE", page)
            read.clear()
            assert list(store.individuals(run_id)) == births
            assert len(read) < 2 * len(births) or page == 1, (page, len(read))


def test_rows_do_not_depend_on_what_a_process_remembers(
    store: Store, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    births = lineage(40)
    record(store, "run", births)
    expected = select(store, ROWS)
    other = str(tmp_path / "other.db")
    with Store(other) as first:
        run_id = first.create_run("run", "policy", "line", "quick", 0, {}, {}).id
    for start in range(0, 60, 3):
        with Store(other) as fresh:
            fresh.add_individuals(run_id, "policy", births[start : start + 3])
    monkeypatch.setattr(recent, "MOST_CHARACTERS", 2000)
    with Store(other) as forgetful:
        for start in range(60, 90, 3):
            forgetful.add_individuals(run_id, "policy", births[start : start + 3])
        forgetful.add_individuals(run_id, "policy", births[:89:-1])  # in one transaction, and in any order
        assert select(forgetful, ROWS) == expected
        assert list(forgetful.individuals(run_id)) == births


def test_a_run_goes_on_from_the_rows_of_another_with_the_same_genomes(store: Store) -> None:
    births = lineage(30)
    record(store, "first", births[:45])
    rows = select(store, ROWS)
    run_id = record(store, "second", births)
    assert [row for row in select(store, ROWS) if row in rows] == rows
    assert list(store.individuals(run_id)) == births and store.check() == []


def test_a_deleted_run_leaves_the_bases_of_others(store: Store) -> None:
    births = lineage(30)
    record(store, "gone", births[:60])
    # Of the births of the first run the second has only the last, which are differences to earlier ones.
    last = births[57:]
    kept = [
        Individual(each.birth - 57, 0, (), "random", each.genome, each.fingerprint)
        if each.birth < 60
        else Individual(each.birth - 57, 1, (each.parents[0] - 57,), "mutate", each.genome, each.fingerprint)
        for each in last
    ]
    run_id = record(store, "kept", kept)
    before = len(select(store, ROWS))
    assert store.delete_run("gone") == 60
    after = select(store, ROWS)
    assert len(kept) < len(after) < before
    assert list(store.individuals(run_id)) == kept and store.check() == []
    store.delete_run("kept")
    assert select(store, ROWS) == []


def test_a_run_that_takes_the_place_of_a_deleted_run_has_its_own_parents(store: Store) -> None:
    first = record(store, "run", lineage(20))
    store.delete_run("run")
    births = lineage(20, seed=2)
    second = record(store, "run", births)
    assert list(store.individuals(second)) == births and store.check() == []
    assert first == second or not str(store._location).endswith(".db")


def test_what_a_transaction_could_not_store_is_not_remembered(store: Store) -> None:
    births = lineage(20)
    run_id = record(store, "run", births[:30])
    with pytest.raises(RecordConflict):
        store.add_individuals(run_id, "policy", [*births[30:33], births[0]])
    store.add_individuals(run_id, "policy", births[30:])
    assert list(store.individuals(run_id)) == births and store.check() == []


def test_a_simplified_genome_is_read_whole_from_a_difference(store: Store) -> None:
    births = lineage(20)
    run_id = record(store, "run", births)
    assert store.add_simplified("run", 0, births[-1].genome, "print", {"steps": []})
    simplified = store.simplified("run", 0)
    assert simplified is not None and simplified.genome == births[-1].genome
    assert store.individual("run", 59).individual == births[-1] and run_id


def test_texts_of_every_length_and_script_are_read_as_they_were_written(
    store: Store, born: Callable[..., Individual]
) -> None:
    texts = [
        "",
        "a",
        "\u00e4" * 300,
        "\u00e4" * 150 + "\U0001f600" + "\u00e4" * 150,
        "\u00e4" * 151 + "b" + "\u00e4" * 149,
    ]
    births = [born(birth, *range(birth - 1, birth), genome=each) for birth, each in enumerate(texts) if birth]
    births.insert(0, born(0, genome=texts[0]))
    run = store.create_run("run", "optimizer", "line", "quick", 0, {}, {})
    store.add_individuals(run.id, "optimizer", births)
    assert [each.genome for each in store.individuals(run.id)] == texts
    assert {row[0] for row in select(store, "SELECT text FROM v_genomes")} == set(texts)
    assert len(select(store, "SELECT digest FROM genome WHERE base IS NOT NULL")) == 2
    assert store.check() == []
