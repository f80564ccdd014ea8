"""What the reader keeps is of the run, and of the file, that is there now."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from invented_runs import InventedRun

from germline.cli.dashboard import reader as reader_module
from germline.cli.dashboard.lineage_tree import ancestry_of
from germline.cli.dashboard.reader import Reader
from germline.cli.simplification.families import Family
from germline.db.errors import DamagedDatabase, MissingDatabase
from germline.db.records import Individual, ScoredIndividual
from germline.db.store import Store


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "runs.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    with Store(str(path)) as opened:
        yield opened


@pytest.fixture
def reader(store: Store, path: Path) -> Iterator[Reader]:
    with closing(Reader(str(path))) as opened:
        yield opened


def best(reader: Reader, name: str) -> float:
    value: float = reader.fitness(name)["best"][-1][1]
    return value


@pytest.mark.slow
def test_a_run_recorded_again_under_the_name_of_a_deleted_run_is_another_run(store: Store, reader: Reader) -> None:
    InventedRun(store, "first").block(0, [1.0, 2.0, 3.0, 4.0]).complete(0, 3).end()
    before = reader.state("first")
    assert best(reader, "first") == 4.0 and len(reader.operators("first")) == 1
    assert reader.winner("first").individual.birth == 3  # type: ignore[union-attr]
    store.delete_run("first")
    InventedRun(store, "first", seed=2).block(0, [8.0, 7.0, 6.0, 5.0]).complete(0, 0).end()
    after = reader.state("first")
    assert after.run[0] == before.run[0] and after.last.evaluation == before.last.evaluation  # SQLite uses ids again
    assert best(reader, "first") == 8.0
    assert reader.winner("first").individual.birth == 0  # type: ignore[union-attr]


def test_a_renamed_run_takes_its_data_with_it(store: Store, reader: Reader) -> None:
    InventedRun(store, "first").block(0, [1.0, 2.0, 3.0, 4.0]).end()
    InventedRun(store, "second").block(0, [5.0, 6.0, 7.0, 8.0]).end()
    assert (best(reader, "first"), best(reader, "second")) == (4.0, 8.0)
    store.rename_run("first", "third")
    store.rename_run("second", "first")
    assert (best(reader, "first"), best(reader, "third")) == (8.0, 4.0)


def test_a_winner_that_follows_a_block_of_cache_hits_alone_is_seen(store: Store, reader: Reader) -> None:
    run = InventedRun(store, "first").block(0, [1.0, 2.0, 3.0, 4.0]).complete(0, 3)
    run.block(1, [None] * 4, cached={0: 3, 1: 3, 2: 3, 3: 3})
    before = reader.state("first")
    run.complete(1, 3)
    after = reader.state("first")
    assert after != before and after.last.winner == (1, False, 3)


@pytest.mark.slow
def test_a_file_that_is_replaced_is_opened_again(path: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    for each, fitness in ((path, 4.0), (other, 9.0)):
        with Store(str(each)) as store:
            InventedRun(store, "first").block(0, [1.0, 2.0, 3.0, fitness]).end()
    with closing(Reader(str(path))) as reader:
        assert best(reader, "first") == 4.0
        other.replace(path)
        assert best(reader, "first") == 9.0
        path.unlink()
        with pytest.raises(MissingDatabase):
            reader.rows()


def test_a_birth_that_is_missing_is_damage(store: Store, reader: Reader, path: Path) -> None:
    InventedRun(store, "first").block(0, [1.0, 2.0, 3.0, 4.0]).end()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DELETE FROM individual WHERE birth = 1")
        connection.commit()
    with pytest.raises(DamagedDatabase, match=r"birth 1 cannot be read .it is missing before birth 2"):
        reader.operators("first")


@pytest.mark.slow
def test_a_cache_hit_has_the_fitness_that_it_shares(store: Store, reader: Reader) -> None:
    InventedRun(store, "first").block(0, [1.0, 2.0, None, 4.0]).block(1, [None, None], cached={0: 1, 1: 2}).end()
    tree = reader.tree("first", 4)
    assert [(node["birth"], node["fitness"]) for node in tree["nodes"]] == [(4, 2.0)]
    hits = store.hit_columns("first")
    assert hits == [(4, 1), (5, 2)]
    ancestry = ancestry_of(5, reader._scores("first"), [(4, 3)], hits)
    np.testing.assert_array_equal(ancestry.fitness, [1.0, 2.0, np.nan, 4.0, 2.0, np.nan])
    assert ancestry.parent.tolist() == [-1, -1, -1, -1, 3, -1]


def test_a_tree_is_not_kept(store: Store, reader: Reader) -> None:
    InventedRun(store, "first").block(0, [1.0, 2.0, 3.0, 4.0])
    assert reader.tree("first", 1) == reader.tree("first", 1)
    assert reader.tree("first", 1) is not reader.tree("first", 1)


def test_families_of_an_earlier_state_are_not_shown_for_a_later_state(
    store: Store, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = InventedRun(store, "first", kind="optimizer").block(0, [-1.0, -2.0, -3.0, -4.0])
    sorted_programs: list[list[int]] = []

    def slow(best: Sequence[ScoredIndividual]) -> list[Family]:
        if not sorted_programs:  # while the first programs are sorted, more is recorded
            run.block(1, [-0.5, -0.6, -0.7, -0.8])
        sorted_programs.append([each.individual.birth for each in best])
        return []

    monkeypatch.setattr(reader_module, "families_of", slow)
    for _ in range(3):
        reader.families("first")
    assert sorted_programs == [[0, 1, 2, 3], [4, 5, 6, 7, 0, 1, 2, 3]]


def test_children_of_a_second_parent_are_children(store: Store, reader: Reader) -> None:
    run = InventedRun(store, "first").block(0, [1.0, 2.0, 3.0, 4.0])
    parents = {4: (0, 1), 5: (1, 0), 6: (1, 1), 7: (2, 0)}
    children = [Individual(birth, 1, of, "cross", f"genome {birth}", f"print {birth}") for birth, of in parents.items()]
    store.add_individuals(run.run.id, "policy", children)
    assert store.children("first", 1) == [4, 5, 6] == reader.individual("first", 1)["children"]
    assert store.children("first", 0) == [4, 5, 7]
