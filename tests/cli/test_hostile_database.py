"""A database in which every text is hostile: no command runs it, obeys it or is filled by it."""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hostile_texts import ENORMOUS, ESCAPES, KINDS, READERS, harmless, inert, readers, three_runs, write_everywhere

from germline.cli.main import COMMANDS

Hostile = Callable[[str, bool], Path]


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return three_runs(tmp_path_factory.mktemp("three") / "runs.db")


@pytest.fixture
def hostile(three: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hostile:
    """Writes a database with a text everywhere into the working directory; if it is runnable, the task stays."""
    monkeypatch.chdir(tmp_path)

    def write(text: str, runnable: bool) -> Path:
        path = tmp_path / "hostile.db"
        path.write_bytes(three)
        write_everywhere(path, text, runnable)
        return path

    return write


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "text", "runnable"),
    [
        *((kind, ESCAPES, True) for kind in KINDS),
        *((kind, ESCAPES, False) for kind in KINDS),
        ("architecture", ENORMOUS, False),
    ],
    ids=[*KINDS, *(f"a hostile task, {kind}" for kind in KINDS), "a megabyte"],
)
def test_every_text_of_a_database_is_inert(
    germline: Any,
    hostile: Hostile,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    kind: str,
    text: str,
    runnable: bool,
) -> None:
    path = hostile(text, runnable)
    for words in readers(kind):
        inert(germline(*words, db=path), " ".join(words))
    # A program of the user's own may print logs as they are, without the formatter of commands.
    assert [each for each in caplog.messages if not each.isprintable() or len(each) > 2_000] == []
    for picture in tmp_path.glob("*.svg"):
        harmless(picture)


@pytest.mark.slow
@pytest.mark.parametrize("text", [ESCAPES, ENORMOUS], ids=["escapes", "a megabyte"])
def test_a_hostile_name_of_a_run_is_inert(germline: Any, hostile: Hostile, tmp_path: Path, text: str) -> None:
    path = hostile(text, True)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE run SET name = ? WHERE name = 'optimizer'", (text,))
        connection.execute("UPDATE run SET name = ? WHERE name = 'architecture'", ("a; rm -rf $HOME \x1b[31m",))
        connection.commit()
    for words in readers("a; rm -rf $HOME \x1b[31m"):
        inert(germline(*words, db=path), " ".join(words))
    for form in ("top optimize", "compare *x*", "curve optimizre", "curve *owned* *enormous* -o curve.svg"):
        inert(germline(*form.split(), db=path), form)
    shown = germline("show", "a; rm -rf $HOME \x1b[31m:0", db=path)
    assert "germline lineage 'a; rm -rf $HOME \ufffd[31m:0'" in shown.stdout
    assert text in [row["name"] for row in json.loads(germline("runs", "--json", db=path).stdout)]


@pytest.mark.slow
@pytest.mark.parametrize("value", [ESCAPES, -1, 10**30], ids=["text", "-1", "10**30"])
def test_settings_of_another_type_are_an_error_of_one_line(germline: Any, hostile: Hostile, value: Any) -> None:
    path = hostile("plain", True)
    with closing(sqlite3.connect(path)) as connection:
        for run, text in connection.execute("SELECT id, config FROM run").fetchall():
            config = json.loads(text)
            config["settings"] = dict.fromkeys(config["settings"], value)
            connection.execute("UPDATE run SET config = ? WHERE id = ?", (json.dumps(config), run))
        connection.commit()
    for words in readers(*KINDS):
        inert(germline(*words, db=path), " ".join(words))
    for kind in KINDS:
        inert(germline("export", kind, "-o", "exported.onnx", "--to", "onnx", db=path), kind)


@pytest.mark.parametrize("budget", ["births", "evaluations", "frames"])
@pytest.mark.parametrize("value", ["ten", -1, 1.5, [1], True], ids=str)
def test_a_budget_that_is_no_count_is_an_error_of_one_line(
    germline: Any, hostile: Hostile, budget: str, value: Any
) -> None:
    path = hostile("plain", True)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"UPDATE run SET config = json_set(config, '$.{budget}', json(?))", (json.dumps(value),))
        connection.commit()
    for form in ("resume policy --executor inline", "compare *", "show policy"):
        result = germline(*form.split(), db=path)
        inert(result, form)
        assert result.exit_code == 1 and f"expected {budget} to be a count" in result.stderr, form


NUMBERS = {
    "huge": (1.7e308, "1.7e308", -1.7e308),
    "none": (-0.0, '"nan"', 0.0),
}


@pytest.mark.slow
@pytest.mark.parametrize("numbers", NUMBERS.values(), ids=NUMBERS)
def test_extreme_numbers_are_shown_and_drawn(
    germline: Any, hostile: Hostile, tmp_path: Path, numbers: tuple[float, str, float]
) -> None:
    fitness, value, other = numbers
    path = hostile("plain", True)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(
            "UPDATE evaluation SET seconds = ?, fitness = CASE birth % 2 WHEN 0 THEN ? ELSE ? END, measures = "
            "json_set(measures, '$.behaviour_0', json(?), '$.deviation', json(?), '$.behaviour_1', 1), objectives = "
            "(SELECT json_group_object(key, json(?)) FROM json_each(objectives)) WHERE status = 'ok'",
            (abs(fitness), fitness, other, value, value, value),
        )
        connection.commit()
    for words in readers(*KINDS):
        result = germline(*words, db=path)
        inert(result, " ".join(words))
        if "--json" in words and result.exit_code == 0:
            json.loads(result.stdout, parse_constant=lambda name: pytest.fail(name))
        for picture in tmp_path.glob("*.svg"):
            harmless(picture)
            picture.unlink()


def test_json_is_exact(germline: Any, hostile: Hostile) -> None:
    path = hostile(ESCAPES, True)
    [first, *_] = json.loads(germline("runs", "--json", db=path).stdout)
    assert (first["preset"], first["created"]) == (ESCAPES, ESCAPES)
    shown = json.loads(germline("show", "policy:3", "--json", db=path).stdout)
    assert shown["operator"] == ESCAPES and shown["evaluations"]["this"][0]["error"] == ESCAPES
    assert shown["evaluations"]["this"][0]["measures"][ESCAPES] == 1.5


GENOMES = {
    "a comment with escapes": "# \x1b[31m\u202e\ndef train(w, g, lr):\n  return g\n",
    "a long name": f"def train(w, g, {'m' * 1_000_000}, lr):\n  return g, {'m' * 1_000_000}\n",
    "a deep expression": "def train(w, g, lr):\n  return " + "(" * 100_000,
    "two megabytes": 2 * ENORMOUS,
    "JSON": '{"network": "\x1b[31m", "cells": [' + "[" * 100_000,
}


@pytest.mark.slow
@pytest.mark.parametrize("genome", GENOMES.values(), ids=GENOMES)
def test_a_hostile_genome_is_inert(germline: Any, hostile: Hostile, tmp_path: Path, genome: str) -> None:
    path = hostile("plain", True)
    with closing(sqlite3.connect(path)) as connection:
        some = "digest IN (SELECT genome FROM individual WHERE birth = 3)" if len(genome) > 1_000_000 else "true"
        connection.execute(f"UPDATE genome SET text = ?, base = NULL WHERE {some}", (genome,))
        connection.commit()
    (tmp_path / "genome.txt").write_text(genome)
    for words in readers(*KINDS):
        inert(germline(*words, db=path), " ".join(words))
    for form in ("show", "describe", "diff library:lion", "export -o x.py", "draw -o x.svg"):
        inert(germline(*form.split(), tmp_path / "genome.txt"), form)


def test_the_forms_name_every_command_that_reads_a_database() -> None:
    named = {form.split()[0] for form in READERS}
    # The dashboard serves until it is ended; `dashboard/test_hostile_pages.py` tests its pages.
    assert named | {"search", "presets", "tasks", "dashboard"} == set(COMMANDS)
