"""A database in which every text is hostile: no command runs it, obeys it or is filled by it."""

import json
import sqlite3
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from germline.cli.main import COMMANDS
from germline.db.store import Store
from germline.search.run import evolve, new_run

ESCAPES = "\x1b]0;owned\x07\x1b[31m\x9b2J[red]x[/red] [link=file]y\r\u202e\u2066</script><b>&amp;]]>\n\t\x7f\u2028"
ENORMOUS = "\x1b[2J" + "enormous " * 100_000
"""A megabyte, which is in many rows."""

KINDS = {
    "optimizer": ("digits-mlp", ("population=8", "lengths=0.05", "warmup=10", "block=20", "review_every=20")),
    "architecture": ("nb201-cifar10", ("block=10", "population=10")),
    "policy": ("gym:CartPole-v1", ("population=6", "candidates=2", "review_episodes=2", "test_episodes=2", "steps=9")),
}
PRESETS = {"optimizer": "quick", "architecture": "nb201", "policy": "quick"}

READERS = """
runs
runs --json
top NAME
top NAME --json
show NAME
show NAME --json
show NAME:3
show NAME:3 --json
lineage NAME:3
lineage NAME --all --json
diff NAME:0 NAME
diff NAME:0 NAME --json
describe NAME NAME:3
describe NAME --json
compare *
compare * --json
curve *
curve NAME --json
curve NAME -o curve.svg
draw NAME -o drawing.svg
export NAME -o exported.py
export NAME -o exported.py --json --force
validate NAME --rung 0 --seeds 1
play NAME --episodes 1
play NAME --episodes 1 --json
resume NAME --executor inline
resume NAME --executor inline --json
stop NAME
db check
db check --json
db backup copy.db
doctor
doctor --json
""".strip().splitlines()


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A database with a finished run of each kind, under the name of the kind."""
    path = tmp_path_factory.mktemp("three") / "runs.db"
    with Store(str(path)) as store:
        for kind, (task, settings) in KINDS.items():
            options = {"task": task, "preset": PRESETS[kind], "settings": settings, "births": 20}
            run = new_run(store, kind, name=kind, **options)
            for _ in evolve(store, run.name, executor="inline", device="cpu"):
                pass
        store.add_artifact("optimizer", 3, "torch", "x.py", "0" * 64)
    return path.read_bytes()


Hostile = Callable[[str, bool], Path]


@pytest.fixture
def hostile(three: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hostile:
    """Writes a text into every column of text, in the working directory; with `runnable`, kind and task stay."""
    monkeypatch.chdir(tmp_path)

    def write(text: str, runnable: bool) -> Path:
        path = tmp_path / "hostile.db"
        path.write_bytes(three)
        with closing(sqlite3.connect(path)) as connection:
            for statement, values in _statements(text, runnable):
                connection.execute(statement, values)
            connection.commit()
        return path

    return write


def _statements(text: str, runnable: bool) -> list[tuple[str, tuple[str, ...]]]:
    # A megabyte in every row would be a gigabyte.
    some = "birth = 3" if len(text) > 10_000 else "birth >= 0"
    key = json.dumps(text)
    statements: list[tuple[str, tuple[str, ...]]] = [
        ("UPDATE run SET preset = ?, created = ?, owner = ?", (text, text, text)),
        ("UPDATE run SET environment = ?", (json.dumps({"torch": text, text: text}),)),
        ("UPDATE run SET config = json_set(config, '$.name', ?)", (text,)),
        (f"UPDATE evaluation SET fingerprint = fingerprint || ?, worker = ?, error = ? WHERE {some}", (text,) * 3),
        (
            "UPDATE individual SET fingerprint = fingerprint || ? WHERE EXISTS (SELECT * FROM evaluation e WHERE "
            "e.run_id = individual.run_id AND e.fingerprint = individual.fingerprint || ?)",
            (text, text),
        ),
        (f"UPDATE individual SET operator = ? WHERE {some}", (text,)),
        (f"UPDATE evaluation SET measures = '{{' || ? || ':1.5,' || substr(measures, 2) WHERE {some}", (key,)),
        (f"UPDATE evaluation SET created = ? WHERE {some}", (text,)),
        ("UPDATE artifact SET target = ?, path = ?, sha256 = ?, created = ?", (text,) * 4),
    ]
    if not runnable:
        objectives = "UPDATE evaluation SET objectives = '{' || ? || ':1.5,' || substr(objectives, 2)"
        statements += [
            (f"{objectives} WHERE {some} AND status = 'ok'", (key,)),
            (f"UPDATE evaluation SET task = ? WHERE {some}", (text,)),
            ("UPDATE run SET task = ?, config = json_set(config, '$.settings.strategy', ?)", (text, text)),
        ]
    return statements


def inert(result: Result, form: str) -> None:
    """What a command printed is printable and short, and an error is a line."""
    assert result.exception is None or isinstance(result.exception, SystemExit), (form, result.exception)
    for output in (result.stdout, result.stderr):
        assert all(char.isprintable() or char == "\n" for char in output), (form, output[:500])
    assert len(result.stderr) < 20_000, form
    if result.exit_code == 2 or (result.exit_code == 1 and not result.stdout):
        *notes, error = result.stderr.splitlines()
        assert error.startswith("Error: ") and all(" births (" in note for note in notes), (form, result.stderr[:500])


def drawn(path: Path) -> list[str]:
    """The texts of a picture, which is well-formed and has no elements but those of a drawing."""
    root = ElementTree.fromstring(path.read_text(encoding="utf-8"))
    names = {element.tag.rpartition("}")[2] for element in root.iter()}
    assert names <= {
        *("svg", "rect", "path", "text", "title", "g", "polyline", "polygon", "circle", "line", "defs", "tspan"),
        *("linearGradient", "stop", "marker", "ellipse"),
    }
    assert all("http" not in value for element in root.iter() for value in element.attrib.values())
    return [element.text or "" for element in root.iter()]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "runnable"),
    [(ESCAPES, True), (ESCAPES, False), (ENORMOUS, False)],
    ids=["escapes and a task of ours", "escapes", "a megabyte"],
)
@pytest.mark.parametrize("kind", KINDS)
def test_every_text_of_a_database_is_inert(
    germline: Any, hostile: Hostile, tmp_path: Path, kind: str, text: str, runnable: bool
) -> None:
    path = hostile(text, runnable)
    for form in READERS:
        result = germline(*(word.replace("NAME", kind) for word in form.split()), db=path)
        inert(result, form)
        if "--json" in form and result.exit_code == 0:
            json.loads(result.stdout)
        elif "--json" not in form:
            assert len(result.stdout) < 200_000, form
    for name in ("curve.svg", "drawing.svg"):
        if (tmp_path / name).exists():
            assert (tmp_path / name).stat().st_size < 300_000
            assert all(part.isprintable() or not part.strip() for part in drawn(tmp_path / name))


@pytest.mark.slow
@pytest.mark.parametrize("text", [ESCAPES, ENORMOUS], ids=["escapes", "a megabyte"])
def test_a_hostile_name_of_a_run_is_inert(germline: Any, hostile: Hostile, tmp_path: Path, text: str) -> None:
    path = hostile(text, True)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE run SET name = ? WHERE name = 'optimizer'", (text,))
        connection.execute("UPDATE run SET name = ? WHERE name = 'architecture'", ("a; rm -rf $HOME \x1b[31m",))
        connection.commit()
    for form in [*READERS, "top optimize", "compare *x*", "curve optimizre"]:
        words = [word.replace("NAME", "a; rm -rf $HOME \x1b[31m") for word in form.split(" ")]
        inert(germline(*words, db=path), form)
    for form in ("runs", "compare *", "curve *", "curve *owned* *enormous* -o curve.svg"):
        result = germline(*form.split(), db=path)
        inert(result, form)
        assert len(result.stdout) < 200_000
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
    for kind in KINDS:
        for form in [*READERS, "export NAME -o exported.onnx --to onnx"]:
            inert(germline(*(word.replace("NAME", kind) for word in form.split()), db=path), form)


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
    for kind in KINDS:
        for form in READERS:
            result = germline(*(word.replace("NAME", kind) for word in form.split()), db=path)
            inert(result, form)
            if "--json" in form and result.exit_code == 0:
                json.loads(result.stdout, parse_constant=lambda name: pytest.fail(name))
        for name in ("curve.svg", "drawing.svg"):
            if (tmp_path / name).exists():
                drawn(tmp_path / name)
                (tmp_path / name).unlink()


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
        connection.execute(f"UPDATE genome SET text = ? WHERE {some}", (genome,))
        connection.commit()
    (tmp_path / "genome.txt").write_text(genome)
    for kind in KINDS:
        for form in READERS:
            result = germline(*(word.replace("NAME", kind) for word in form.split()), db=path)
            inert(result, form)
    for form in ("show", "describe", "diff library:lion", "export -o x.py", "draw -o x.svg"):
        inert(germline(*form.split(), tmp_path / "genome.txt"), form)


def test_the_forms_name_every_command_that_reads_a_database() -> None:
    named = {form.split()[0] for form in READERS}
    assert named | {"search", "presets", "tasks"} == set(COMMANDS)
