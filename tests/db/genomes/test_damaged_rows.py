"""Stored differences that Germline cannot have written end in an error of one line, in bounded time and memory."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any

import pytest
from genome_damage import DAMAGES, blow_up, damage
from long_lineages import START, child, lineage, record

from germline.db.check.lines import MAX_LISTED
from germline.db.errors import DamagedDatabase, GenomesTooLong
from germline.db.genomes import reading
from germline.db.genomes.reading import MOST_ROWS, GenomeTexts
from germline.db.records import Individual
from germline.db.store import Store, history

BIRTHS = lineage(20)


@pytest.fixture
def path(tmp_path: Path, blank: bytes) -> Path:
    path = tmp_path / "runs.db"
    path.write_bytes(blank)
    with Store(str(path)) as store:
        record(store, "run", BIRTHS)
    return path


def next_births() -> list[Individual]:
    """Children of the births 57 to 59, in the next block."""
    draw = Random(3)
    return [
        Individual(birth + 3, 20, (birth,), "mutate", child(BIRTHS[birth].genome, draw), f"new-{birth}")
        for birth in (57, 58, 59)
    ]


@pytest.mark.parametrize("statement", DAMAGES.values(), ids=DAMAGES)
def test_each_damage_is_a_line_for_whoever_reads_and_for_the_check(
    path: Path, statement: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def in_pages() -> None:
        monkeypatch.setattr(history, "_PAGE", 7)
        assert list(store.individuals(run.id))

    damage(path, statement)
    with Store(str(path)) as store:
        run = store.run("run")
        readings: list[Callable[[], Any]] = [
            lambda: store.individual("run", 59),
            lambda: store.scored("run", [58, 59]),
            lambda: store.lineage("run", 59),
            lambda: store.block("run", 19),
            lambda: list(store.individuals(run.id)),
            lambda: list(store.individuals_of(run.id, [59])),
            in_pages,
        ]
        for read in readings:
            with pytest.raises(DamagedDatabase, match=r"birth \d+ cannot be read \(expected .*restore a copy"):
                read()
        store.claim(run.id)
        with pytest.raises(DamagedDatabase, match=r"genome .* cannot be read"):
            store.add_individuals(run.id, "policy", next_births())
        assert store.summary("run").births == 60
        problems = store.check()
        assert any("its text cannot be read (expected" in line for line in problems), problems


def test_a_wrong_length_gives_another_text_which_the_check_finds(path: Path) -> None:
    damage(path, "UPDATE genome SET head = head - 1 WHERE depth = 5")
    with Store(str(path)) as store:
        assert any("its text does not match its digest" in line for line in store.check())


def test_a_whole_text_with_a_length_is_a_finding_of_the_check(path: Path) -> None:
    damage(path, "UPDATE genome SET tail = 3 WHERE base IS NULL")
    with Store(str(path)) as store:
        assert any("a whole text with head, tail or depth" in line for line in store.check())


def test_a_chain_without_end_is_read_for_a_few_rows_only(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        rows = ((f"{place:032}", "policy", "print", "", f"{place + 1:032}", 0, 0, 1) for place in range(200_000))
        columns = "digest, kind, fingerprint, text, base, head, tail, depth"
        connection.executemany(f"INSERT INTO genome ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
        connection.execute("UPDATE individual SET genome = ? WHERE birth = 59", (f"{0:032}",))
        connection.commit()
    with Store(str(path)) as store:
        with pytest.raises(DamagedDatabase, match="expected a base at depth 0, got depth 1"):
            store.individual("run", 59)
        texts = GenomeTexts(kept=True)
        store._read(texts.load, [f"{0:032}"])
        assert sum(texts.row(f"{place:032}") is not None for place in range(100)) == MOST_ROWS
        for first in range(0, 2_000, 500):
            store._read(texts.load, [f"{place:032}" for place in range(first, first + 500)])
            assert 500 <= len(texts._rows) <= 500 + 2 * MOST_ROWS


@pytest.mark.parametrize("kept", [True, False], ids=["kept", "passing"])
def test_texts_that_are_too_long_together_are_refused(path: Path, monkeypatch: pytest.MonkeyPatch, kept: bool) -> None:
    monkeypatch.setattr(reading, "MOST_BYTES", 30_000_000)
    blow_up(path, "policy")
    with Store(str(path)) as store:
        run = store.run("run")
        assert len(store.individual("run", 59).individual.genome) == 4_000_000
        with pytest.raises(
            GenomesTooLong, match=r"at most [0-9,]+ bytes as whole texts, got more: ask for fewer births"
        ):
            for _ in store.individuals(run.id, kept=kept):
                pass
        if kept:
            for read in (
                lambda: store.lineage("run", 59),
                lambda: store.scored("run", range(60)),
                lambda: list(store.individuals_of(run.id, range(60))),
                lambda: store.frame("run"),
            ):
                with pytest.raises(GenomesTooLong):
                    read()
        assert len([line for line in store.check() if "its text does not match its digest" in line]) == MAX_LISTED


def test_a_long_run_may_have_more_text_than_memory_if_it_is_not_kept(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "MOST_BYTES", 10_000)
    with Store(str(path)) as store:
        run = store.run("run")
        assert list(store.individuals(run.id)) == BIRTHS
        with pytest.raises(GenomesTooLong):
            list(store.individuals(run.id, kept=True))
        assert store.check() == []
        monkeypatch.setattr(reading, "MOST_BYTES_PASSING", 100)
        (line,) = store.check()
        assert line.startswith("genomes: not all texts were compared with their digests (so much text is damage, or")


def test_texts_of_a_long_run_of_an_evolution_strategy_are_no_damage(
    tmp_path: Path, blank: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A generation of 256 births adds about 550 characters, so the texts of 1,000 generations have half a megabyte."""
    monkeypatch.setattr(reading, "MOST_BYTES", 10_000)
    path = tmp_path / "runs.db"
    path.write_bytes(blank)
    births = lineage(7, start=START.replace("[]", f"[[1, 0.1, [{','.join(['-17'] * 130_000)}]]]"))
    assert min(len(birth.genome) for birth in births) > 500_000
    with Store(str(path)) as store:
        run_id = record(store, "run", births)
        assert list(store.individuals(run_id)) == births
        assert store.check() == []
