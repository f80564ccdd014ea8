"""A run that began in a database of an earlier schema goes on after an upgrade with the lineage of a whole run."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from command_line import call
from old_schema import whole_texts
from run_rows import rows

SETTINGS = {
    "policy": ("population=12", "candidates=2", "review_episodes=2", "test_episodes=2", "steps=30"),
    "optimizer": ("population=8", "block=12", "lengths=0.05", "warmup=10", "review_every=24"),
}
CUT, BIRTHS = 60, 132


def search(path: Path, kind: str, births: int) -> None:
    settings = [word for setting in SETTINGS[kind] for word in ("--set", setting)]
    words = ("search", kind, "--name", "run", "--births", str(births), "--executor", "inline", *settings)
    done = call(path, *words)
    assert done.exit_code == 0, done.output


def contents(path: Path) -> dict[str, list[Any]]:
    """What has to be equal in equal runs, with whole texts. What a closing records only the cut run has."""
    with closing(sqlite3.connect(path)) as connection:
        texts = connection.execute("SELECT digest, kind, fingerprint, text FROM v_genomes ORDER BY digest").fetchall()
    found = rows(path)
    return {
        **{table: found[table] for table in ("individual", "parentage", "rejection")},
        "outcomes": [row for row in found["evaluation"] if row[3] == 0],
        "winners": [row for row in found["winner"] if not row[1]],
        "genomes": texts,
    }


@pytest.mark.slow
@pytest.mark.parametrize("kind", SETTINGS)
def test_a_run_of_whole_texts_goes_on_with_the_lineage_of_a_whole_run(kind: str, tmp_path: Path) -> None:
    whole, cut, old = tmp_path / "whole.db", tmp_path / "cut.db", tmp_path / "old.db"
    search(whole, kind, BIRTHS)
    search(cut, kind, CUT)
    whole_texts(cut, old)
    for command in ("runs", "show run", "resume run --births 132 --executor inline"):
        refused = call(old, *command.split())
        assert (
            refused.exit_code == 2 and refused.stderr.startswith("Error: ") and "`germline db upgrade" in refused.stderr
        )
    assert call(old, "db", "upgrade").exit_code == 0
    with closing(sqlite3.connect(old)) as connection:
        assert connection.execute("SELECT count(base) FROM genome").fetchone() == (0,)
    assert call(old, "db", "replay", "run").exit_code == 0
    before = {form: call(cut, *form.split()).stdout for form in ("show run:55 --json", "lineage run:55", "top run")}
    assert {form: call(old, *form.split()).stdout for form in before} == before
    resumed = call(old, "resume", "run", "--births", str(BIRTHS), "--executor", "inline")
    assert resumed.exit_code == 0, resumed.output
    assert contents(old) == contents(whole)
    assert call(old, "db", "check").exit_code == 0
    with closing(sqlite3.connect(old)) as connection:
        assert connection.execute("SELECT count(base) FROM genome").fetchone()[0] > (40 if kind == "policy" else 0)
    with closing(sqlite3.connect(f"{old}.0007.backup")) as connection:
        assert connection.execute("SELECT count(*) FROM individual").fetchone() == (CUT,)
