"""A database whose genomes are differences that cannot be read, or that stand for gigabytes: each command ends in one
clear line, and a search does not go on."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from browser import served
from genome_damage import DAMAGES, blow_up, damage
from hostile_texts import READERS, inert, three_runs
from page_client import Client

from germline.db.genomes import reading

ONE = "policy:19"
"""A birth whose genome is stored as a difference."""

FAILING = (
    *("top policy", "top policy --json", f"show {ONE}", f"show {ONE} --json", f"show {ONE} --csv", f"lineage {ONE}"),
    *(f"diff policy:0 {ONE}", f"describe {ONE}", f"draw {ONE} -o drawing.svg", f"export {ONE} -o exported.py"),
    *(f"validate {ONE} --rung 0 --seeds 1", f"play {ONE} --episodes 1", "report policy -o report.html"),
    *("resume policy --executor inline --births 40", "db replay policy", f"import {ONE}"),
)
"""A command for each way to read genomes: one, many, a lineage, all of them."""

PAGES = ("run", "individual", "lineage", "front", "compare", "data/lineage", "data/front", "parts/families", "film.gif")


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return three_runs(tmp_path_factory.mktemp("three") / "runs.db")


@pytest.fixture
def path(three: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "hostile.db"
    path.write_bytes(three)
    return path


def recorded(path: Path) -> list[Any]:
    with closing(sqlite3.connect(path)) as connection:
        return [
            connection.execute(f"SELECT count(*) FROM {table}").fetchone() for table in ("individual", "evaluation")
        ]


def fails_in_a_line(germline: Any, path: Path, form: str, *, told: str = "") -> None:
    result = germline(*form.split(), db=path)
    inert(result, form)
    *notes, error = result.stderr.splitlines()
    assert result.exit_code == 1 and error.startswith("Error: ") and told in error, (form, result.output)
    assert result.stdout == "" and len(error) < 400 and all(" births" in note for note in notes), (form, result.output)


@pytest.mark.slow
@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_difference_is_a_line_of_each_command(germline: Any, path: Path, name: str) -> None:
    damage(path, DAMAGES[name])
    before = recorded(path)
    # Every command for two of them: the others differ in the first rows that are read, which `Store` tests.
    for form in FAILING if name in ("a cycle of two", "a huge head") else FAILING[::5]:
        fails_in_a_line(germline, path, form, told="cannot be read (expected ")
    assert recorded(path) == before
    checked = germline("db", "check", db=path)
    assert checked.exit_code == 1 and "its text cannot be read (expected " in checked.stdout


@pytest.mark.slow
def test_commands_that_read_no_difference_go_on(germline: Any, path: Path) -> None:
    damage(path, DAMAGES["a missing base"])
    for form in READERS:
        inert(germline(*form.replace("NAME", "policy").split(), db=path), form)
    for form in ("runs", "show policy:0", "curve policy", "db backup other.db"):
        assert germline(*form.split(), db=path).exit_code == 0, form


@pytest.mark.slow
def test_rows_that_stand_for_gigabytes_are_a_line_of_each_command(
    germline: Any, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blow_up(path, "policy")
    assert path.stat().st_size < 8_000_000
    monkeypatch.setattr(reading, "MOST_BYTES", 40_000_000)
    before = recorded(path)
    for form in READERS:
        inert(germline(*form.replace("NAME", "policy").split(), db=path), form)
    for form in ("top policy", "report policy -o report.html", "db replay policy"):
        fails_in_a_line(germline, path, form, told="bytes as whole texts, got more: ask for fewer births")
    assert recorded(path) == before
    checked = germline("db", "check", db=path)
    assert checked.exit_code == 1 and "its text does not match its digest" in checked.stdout


@pytest.mark.slow
@pytest.mark.parametrize("name", ["a cycle of itself", "a huge head", "gigabytes"])
def test_pages_say_that_a_genome_cannot_be_read(path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    if name == "gigabytes":
        monkeypatch.setattr(reading, "MOST_BYTES", 40_000_000)
        blow_up(path, "policy")
    else:
        damage(path, DAMAGES[name])
    with served(path) as port:
        client = Client(port)
        for page in PAGES:
            answer = client.ask(f"/{page}?name=policy&birth=19")
            assert answer.status == 200 or "<h1>Not shown</h1>" in answer.text, (page, answer.text)
            assert len(answer.text) < 100_000, page
        told = "bytes as whole texts, got more" if name == "gigabytes" else "cannot be read (expected "
        assert told in client.ask("/data/front?name=policy").text
        assert client.ask("/").status == 200
