"""What `simplify` makes of an individual is kept with its run, where lineage, show, export and validation see it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from germline.cli.simplification.tiers import how_simplified
from germline.db.records import EvaluationRecord, Individual
from germline.db.store import Store
from germline.programs.optimizer import parse, trace, write
from germline.programs.optimizer.fingerprint import fingerprint

Data = Callable[..., Any]
START = write(parse("def train(w, g, m, lr):\n  m = interp(g, m, 0.9)\n  update = m * lr\n  return update, m\n"))
LONGER = write(
    parse(
        "def train(w, g, m, lr):\n  m = interp(g, m, 0.9)\n  x = w - w\n  x = x + m\n  update = x * lr\n"
        "  return update, m\n"
    )
)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A database with a run of two births, of which the second can be simplified to the first."""
    path = tmp_path / "kept.db"
    prints = [fingerprint(trace(parse(text))) for text in (START, LONGER)]
    with Store(str(path)) as store:
        run = store.create_run("mine", "optimizer", "digits-mlp", "quick", 1, {"settings": {"start": START}}, {})
        births = [
            Individual(0, 0, (), "seed", START, prints[0], None),
            Individual(1, 0, (0,), "insert", LONGER, prints[1], None if prints[0] != prints[1] else 0),
        ]
        store.add_individuals(run.id, "optimizer", births)
        outcomes = [
            EvaluationRecord(
                birth, prints[birth], "digits-mlp", 0, 0, "ok", -1.0, {"validation_loss": 1.0}, {}, 0.1, "", None
            )
            for birth in range(1 if prints[0] == prints[1] else 2)
        ]
        store.add_evaluations(run.id, outcomes)
        store.release(run.id, "finished", 1.0)
    return path


@pytest.mark.slow
def test_a_simplified_individual_is_kept_with_its_run(run: Path, germline: Any, data: Data, tmp_path: Path) -> None:
    before = data("lineage", "mine:1", db=run)
    row = data("simplify", "mine:1", db=run)
    assert row["kept"] == "mine:1:simplified"
    shown = data("show", "mine:1", db=run)["simplified"]
    assert shown["genome"] == row["simplified"]["program"] and shown["parents"] == [1]
    assert [step["rule"] for step in shown["steps"]] == [step["rule"] for step in row["steps"]]
    itself = data("show", "mine:1:simplified", db=run)
    assert (itself["run"], itself["birth"], itself["operator"], itself["parents"]) == ("mine", None, "simplify", [1])
    assert itself["statements"] == 2 and itself["simplified"] is None
    *births, last = data("lineage", "mine:1", db=run)
    assert births == before and data("lineage", "mine:1:simplified", db=run) == [*before, last]
    assert (last["operator"], last["parents"], last["genome"]) == ("simplify", [1], shown["genome"])
    assert "simplify" in germline("lineage", "mine:1", db=run).stdout
    assert "simplified: " in germline("show", "mine:1", db=run).stdout
    assert "simplified from mine:1 by exact rules" in germline("show", "mine:1:simplified", db=run).stdout
    exported = data("export", "mine:1:simplified", "-o", tmp_path / "small.py", db=run)
    origin = (
        "Task: digits-mlp\n    Schedule: lr rises over 5 % of the steps, then falls to 0 as half a cosine\n"
        "    Simplified from: mine:1\n    Simplified by: exact rules\n    Fingerprint: "
    )
    assert origin in (tmp_path / "small.py").read_text()
    assert exported["verified"] and exported["class_name"] == "Mine1"
    again = data("export", "mine:1", "--simplify", "-o", tmp_path / "again.py", db=run)
    assert origin in (tmp_path / "again.py").read_text()
    assert again["fingerprint"] == exported["fingerprint"] == shown["fingerprint"]
    with Store(str(run)) as store:
        assert [artifact.birth for artifact in store.artifacts("mine")] == [1, 1] and store.check() == []


@pytest.mark.slow
def test_a_simplified_individual_is_validated_beside_it(run: Path, data: Data) -> None:
    data("simplify", "mine:1", db=run)
    rows = data("validate", "mine:1", "mine:1:simplified", "--rung", "0", "--seeds", "1", db=run)
    assert [row["ref"] for row in rows][:2] == ["mine:1", "mine:1:simplified"]
    assert rows[0]["mean"] == pytest.approx(rows[1]["mean"], rel=1e-3)


@pytest.mark.slow
def test_nothing_is_kept_without_a_change_or_if_the_user_does_not_want_it(run: Path, data: Data) -> None:
    assert data("simplify", "mine:0", db=run)["kept"] is None
    assert data("simplify", "mine:1", "--no-keep", db=run)["kept"] is None
    with Store(str(run)) as store:
        assert store.simplified("mine", 0) is None is store.simplified("mine", 1)


def test_what_was_not_simplified_has_no_simplified_program(run: Path, germline: Any) -> None:
    result = germline("show", "mine:1:simplified", db=run)
    assert result.exit_code == 2
    assert "expected a simplified program of mine:1, got none; run germline simplify mine:1 first" in result.stderr


@pytest.mark.slow
def test_an_export_says_what_it_was_simplified_from_and_how_far_the_rules_hold(germline: Any, tmp_path: Path) -> None:
    for name, options in {"plain": [], "small": ["--simplify"]}.items():
        result = germline("export", "library:lion_raw", *options, "-o", tmp_path / f"{name}.py")
        assert result.exit_code == 0, result.stderr
    lines = [line.strip() for line in (tmp_path / "small.py").read_text().splitlines()]
    assert "Simplified from: library:lion_raw" in lines
    assert "Simplified by: rules that hold within a bound" in lines
    assert "Simplified" not in (tmp_path / "plain.py").read_text()


def test_how_a_program_was_simplified_is_told_from_whatever_was_kept() -> None:
    ablation = {"task": "digits-mlp", "rung": 1, "steps": [{}]}
    assert how_simplified({"tier": "bounded", "steps": [{}], "ablation": ablation}) == (
        "rules that hold within a bound; ablation on digits-mlp, rung 1"
    )
    assert how_simplified({"tier": "exact", "steps": [], "ablation": ablation}) == "ablation on digits-mlp, rung 1"
    assert how_simplified({"tier": "exact", "steps": [{}], "ablation": ablation | {"steps": []}}) == "exact rules"
    for strange in ({}, {"tier": ["x"], "steps": 3}, {"tier": None, "ablation": "x"}):
        assert how_simplified(strange) == "rules"
