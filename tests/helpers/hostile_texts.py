"""Databases with hostile texts, and assertions about what commands print and draw of them."""

import csv
import io
import json
import sqlite3
import xml.etree.ElementTree as ElementTree
from contextlib import closing
from pathlib import Path

from click.testing import Result

from germline.db.store import Store
from germline.search.run import evolve, new_run

ESCAPES = "\x1b]0;owned\x07\x1b[31m\x9b2J[red]x[/red] [link=file]y\r\u202e\u2066</script><b>&amp;]]>\n\t\x7f\u2028"
ENORMOUS = "\x1b[2J" + "enormous " * 100_000
"""Nearly a megabyte."""

KINDS = {
    "optimizer": ("digits-mlp", ("population=8", "lengths=0.05", "warmup=10", "block=20", "review_every=20")),
    "architecture": ("nb201-cifar10", ("block=10", "population=10")),
    "policy": ("gym:CartPole-v1", ("population=6", "candidates=2", "review_episodes=2", "test_episodes=2", "steps=9")),
}
PRESETS = {"optimizer": "quick", "architecture": "nb201", "policy": "quick"}

READERS = """
runs
runs --json
runs --csv
top NAME
top NAME --json
show NAME
show NAME --json
show NAME:3
show NAME:3 --json
show NAME:3 --csv
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
curve NAME --csv
curve NAME -o curve.svg
curve NAME -o curve.png
draw NAME -o drawing.svg
draw NAME -o drawing.pdf
draw NAME --front -o front.svg
report NAME -o report.html
report NAME -o report.html --json --force
export NAME -o exported.py
export NAME -o exported.py --json --force
simplify NAME
simplify NAME --json
validate NAME --rung 0 --seeds 1
leaderboard NAME --task missing
play NAME --episodes 1
play NAME --episodes 1 --json
resume NAME --executor inline
resume NAME --executor inline --json
stop NAME
db replay NAME
db replay NAME --json
db check
db check --json
db backup copy.db
db tag NAME paper
import NAME:3
doctor
doctor --json
""".strip().splitlines()
"""Every command that reads a database; NAME stands for the name of a run."""


def readers(*names: str) -> list[tuple[str, ...]]:
    """The words of each command of `READERS` for runs with these names; a command without NAME comes once."""
    forms = (tuple(word.replace("NAME", name) for word in form.split()) for name in names for form in READERS)
    return list(dict.fromkeys(forms))


def three_runs(path: Path) -> bytes:
    """Writes a database with a finished run of each kind, whose name is the kind; returns the bytes of the file."""
    with Store(str(path)) as store:
        for kind, (task, settings) in KINDS.items():
            options = {"task": task, "preset": PRESETS[kind], "settings": settings, "births": 20}
            run = new_run(store, kind, name=kind, **options)
            for _ in evolve(store, run.name, executor="inline", device="cpu"):
                pass
        store.add_artifact("optimizer", 3, "torch", "x.py", "0" * 64)
        store.add_verdict("optimizer", 3, {"lines": ["better than library:adamw"]})
    return path.read_bytes()


def write_everywhere(path: Path, text: str, runnable: bool) -> None:
    """Writes a text into the columns of text of a database; fingerprints get it appended.

    Names, kinds, statuses and genomes stay; if `runnable`, so do tasks, strategies and objectives. A long text goes
    into the rows of a single birth.
    """
    with closing(sqlite3.connect(path)) as connection:
        for statement, values in _statements(text, runnable):
            connection.execute(statement, values)
        connection.commit()


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
        ("UPDATE verdict SET content = json_set(content, '$.lines', json_array(?)), created = ?", (text, text)),
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
    """Asserts that what a command printed is printable and short, that JSON is JSON, and that an error is a line."""
    assert result.exception is None or isinstance(result.exception, SystemExit), (form, result.exception)
    for output in (result.stdout, result.stderr):
        assert all(char.isprintable() or char == "\n" for char in output), (form, output[:500])
    assert len(result.stderr) < 20_000, form
    if "--csv" in form:
        csv.field_size_limit(10_000_000)
        assert result.exit_code or len({len(row) for row in csv.reader(io.StringIO(result.stdout))}) <= 1, form
    elif "--json" not in form:
        assert len(result.stdout) < 200_000, form
    elif result.exit_code == 0:
        json.loads(result.stdout)
    if result.exit_code == 2 or (result.exit_code == 1 and not result.stdout):
        *notes, error = result.stderr.splitlines()
        assert error.startswith("Error: ") and all(" births" in note or " starting " in note for note in notes), (
            form,
            result.stderr[:500],
        )


def harmless(path: Path) -> None:
    """Asserts that a picture is well-formed and small, with printable texts and no elements but those of a drawing."""
    assert path.stat().st_size < 300_000
    root = ElementTree.fromstring(path.read_text(encoding="utf-8"))
    names = {element.tag.rpartition("}")[2] for element in root.iter()}
    assert names <= {
        *("svg", "rect", "path", "text", "title", "g", "polyline", "polygon", "circle", "line", "defs", "tspan"),
        *("marker", "style", "clipPath", "use", "image"),
    }
    assert all("http" not in value for element in root.iter() for value in element.attrib.values())
    links = [element.get("{http://www.w3.org/1999/xlink}href", "#") for element in root.iter()]
    assert all(link.startswith(("#", "data:image/png;base64,")) for link in links)
    texts = [element.text or "" for element in root.iter()]
    assert all(text.isprintable() or not text.strip() for text in texts)
