"""`simplify`: the program, the steps and the report on the command line."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from germline.db.store import Store
from germline.programs.optimizer import library, parse, write
from germline.programs.optimizer.simplify import engine
from germline.programs.optimizer.simplify.proof import prove
from germline.programs.optimizer.simplify.rule import pattern_rule

Data = Callable[..., Any]
PRUNED = (
    "def train(w, g, m, v, lr):\n  m = interp(g, v, 0.9)\n  v = interp(g, m, 1.1)\n  m2 = m * m\n  x = sqrt(m2)\n"
    "  update = m / x\n  m = cosh(update)\n  return update, m, v\n"
)
STEP_KEYS = {"rule", "says", "tier", "same_bits", "went", "check", "program"}


@pytest.mark.slow
def test_simplify_gives_the_program_its_steps_and_a_formula(data: Data, tmp_path: Path) -> None:
    path = tmp_path / "pruned.txt"
    path.write_text(PRUNED)
    row = data("simplify", path)
    assert (row["given"]["statements"], row["simplified"]["statements"]) == (6, 3)
    assert row["simplified"]["states"] == ["v"] and row["tier"] == "bounded" and row["failed"] is None
    assert row["simplified"]["program"] == row["steps"][-1]["program"]
    assert all(set(step) == STEP_KEYS and step["check"]["holds"] for step in row["steps"])
    assert row["check"]["compared"] > 0.7 and row["verified"]
    assert r"\operatorname{sign}" in row["formula"] and "w_{t+1}" in row["formula"]
    assert "moving average with decay 0.99" in row["summary"]
    assert row["nearest"][0]["ref"] == "library:lion"


@pytest.mark.slow
def test_a_tier_limits_the_rules(data: Data) -> None:
    row = data("simplify", "library:lion_raw", "--max-tier", "exact")
    assert row["tier"] == "exact" and {step["tier"] for step in row["steps"]} == {"exact"}
    assert "sqrt(" in row["simplified"]["program"]


SIGNS = """def train(w, g, lr):
  x = sign(g)
  x = x * 0.00497
  x = x + g
  x = x - g
  tiny = w * 1.3e-07
  x = x + tiny
  update = x * lr
  return update
"""


@pytest.mark.slow
def test_an_ablation_removes_and_rounds_after_the_simplification(data: Data, tmp_path: Path) -> None:
    path, found = tmp_path / "signs.txt", tmp_path / "found.txt"
    path.write_text(SIGNS)
    measuring = ("--ablate", "--task", "digits-mlp", "--rung", "0", "--seeds", "3", "--margin", "0.05")
    row = data("simplify", path, *measuring, "-o", found)
    ablation = row["ablation"]
    assert "x - g" not in row["simplified"]["program"] and "tiny" in row["simplified"]["program"]
    assert [step["what"] for step in ablation["steps"]] == ["x3 = x2 + tiny → x2", "0.00497 → 0.005"]
    assert ablation["program"] == found.read_text() and (ablation["statements"], ablation["literals"]) == (3, 1)
    assert [step["worsening"] + step["half_width"] < ablation["margin"] for step in ablation["steps"]] == [True, True]
    assert ablation["confirmation"]["seeds"] == 3 and ablation["taken_back"] == []
    assert "x = sign(g) → g" in {attempt["what"] for attempt in ablation["kept"]}


@pytest.mark.slow
def test_the_pruned_program_in_a_file_is_ablated(data: Data, tmp_path: Path) -> None:
    path, report = tmp_path / "pruned.txt", tmp_path / "found.md"
    path.write_text(PRUNED)
    row = data("simplify", path, "--ablate", "--rung", "0", "--seeds", "2", "--margin", "0.05", "-o", report)
    ablation = row["ablation"]
    assert (ablation["task"], ablation["rung"], ablation["confirmation"]["seeds"]) == ("digits-mlp", 0, 2)
    assert row["verified"] and row["path"] == str(report) and row["kept"] is None
    assert ablation["statements"] <= row["simplified"]["statements"] and parse(ablation["program"])
    assert "## Ablation" in report.read_text() and write(parse(ablation["program"])) in report.read_text()


@pytest.mark.slow
def test_simplify_as_text_has_the_program_the_steps_and_the_formula(germline: Any) -> None:
    text = germline("simplify", "library:sgd_momentum").stdout
    for expected in ("4 → 3 statements", "rescale a state", "merge factors", r"\begin{aligned}", "1 state of 1"):
        assert expected in text


@pytest.mark.slow
def test_a_small_program_stays_as_it_is(data: Data) -> None:
    row = data("simplify", "library:lion")
    assert row["steps"] == [] and row["tier"] == "exact"
    assert parse(row["simplified"]["program"]) == parse(library()["lion"])


@pytest.mark.slow
def test_a_report_and_a_program_are_written_and_recorded(
    germline: Any, data: Data, copied: Path, tmp_path: Path
) -> None:
    report, program = tmp_path / "found.md", tmp_path / "found.txt"
    for path in (report, program):
        result = germline("simplify", "first", "-o", path, db=copied)
        assert result.exit_code == 0, result.stderr
    assert report.read_text().startswith("# first:") and "## Steps" in report.read_text()
    again = data("simplify", program)
    assert again["steps"] == [] and again["given"]["program"] == program.read_text()
    with Store(str(copied)) as store:
        assert [(artifact.target, artifact.path) for artifact in store.artifacts("first")] == [
            ("simplify", str(report)),
            ("simplify", str(program)),
        ]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("library:lino",), "did you mean library:lion?"),
        (("library:lion", "-o", "found.py"), "expected a name that ends in .md or .txt"),
        (("library:lion", "--max-tier", "all"), "--max-tier"),
        (("library:lion", "--seeds", "3"), "expected --ablate with --seeds"),
        (("library:lion", "--ablate", "--seeds", "1"), "--seeds"),
        (("library:lion", "--ablate", "--margin", "2"), "--margin"),
        (("library:lion", "--ablate", "--task", "hard-maze"), "expected a task for optimizers, got hard-maze"),
        (("library:lion", "--ablate", "--rung", "7"), "expected a rung of digits-mlp, at most 2, got 7"),
        (("cell.json",), "expected an optimizer program to simplify, got cell.json, which is an architecture"),
        (("bad.txt",), "bad.txt is not a valid genome: expected one function"),
    ],
)
def test_a_mistake_is_one_line(
    arguments: tuple[str, ...], message: str, germline: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("cell.json").write_text('{"normal": []}')
    Path("bad.txt").write_text("import os\n")
    result = germline("simplify", *arguments)
    assert result.exit_code == 2 and message in result.stderr and len(result.stderr.splitlines()) == 1


@pytest.fixture
def wrong_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    """A rule of the engine that does not hold."""
    monkeypatch.setattr(engine, "RULES", (pattern_rule("wrong rule", "sign(x)", "x"), *engine.RULES))


@pytest.fixture
def unchecked_steps(wrong_rule: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """That rule, and no step is left out because its check fails."""
    monkeypatch.setattr("germline.cli.simplification.result.proved", lambda simplified: (simplified, prove(simplified)))


@pytest.mark.slow
def test_a_step_that_fails_is_left_out_and_said_once(wrong_rule: None, germline: Any, tmp_path: Path) -> None:
    report = tmp_path / "report.md"
    result = germline("simplify", "library:lion", "-o", report)
    assert result.exit_code == 1 and "wrong rule" not in result.stdout
    assert result.stderr == (
        "Error: the step 'wrong rule' failed its check, which is a mistake in a rule; it was left out, with those "
        "after it; please report the program\n"
    )
    assert "The step 'wrong rule' failed its check" in report.read_text()
    row = json.loads(germline("simplify", "library:lion", "--json").stdout)
    assert (row["failed"], row["verified"], row["steps"]) == ("wrong rule", True, [])


@pytest.mark.slow
def test_a_simplified_program_that_differs_is_neither_kept_nor_written(
    unchecked_steps: None, germline: Any, copied: Path, tmp_path: Path
) -> None:
    path = tmp_path / "signs.txt"
    path.write_text("def train(w, g, lr):\n  x = sign(g)\n  update = x * lr\n  return update\n")
    found = tmp_path / "found.txt"
    result = germline("simplify", path, "-o", found, "--ablate")
    assert result.exit_code == 1 and "not verified" in result.stdout and "ablated" not in result.stdout
    assert result.stderr.startswith("Error: the simplified program of ") and result.stderr.count("\n") == 1
    assert "differs from the given one within 50 steps" in result.stderr and not found.exists()
    row = json.loads(germline("simplify", path, "--json").stdout)
    assert row["verified"] is row["check"]["holds"] is False and row["kept"] is None
    assert row["steps"][0]["check"]["holds"] is False
    exported = germline("export", path, "--simplify", "-o", tmp_path / "found.py")
    assert exported.exit_code == 1 and "differs from the given one" in exported.stderr


NOT_A_NUMBER = """def train(w, g, lr):
  x = abs(w)
  x = x + 1.0
  x = negative(x)
  x = power(x, 0.5)
  y = x * 1.0
  update = y * lr
  return update
"""


@pytest.mark.slow
def test_what_is_never_a_number_verifies_nothing(germline: Any, tmp_path: Path) -> None:
    path = tmp_path / "nan.txt"
    path.write_text(NOT_A_NUMBER)
    result = germline("simplify", path)
    assert result.exit_code == 1 and result.stderr.count("\n") == 1
    assert "is not verified, because nothing could be compared in 50 steps" in result.stderr
    row = json.loads(germline("simplify", path, "--json").stdout)
    assert row["verified"] is False and row["check"]["holds"] and row["check"]["compared"] == 0
    assert row["check"]["by_scenario"] == {}


def test_an_existing_file_is_kept_without_force(germline: Any, tmp_path: Path) -> None:
    path = tmp_path / "found.md"
    path.write_text("mine")
    result = germline("simplify", "library:lion", "-o", path)
    assert result.exit_code == 2 and "exists already" in result.stderr and path.read_text() == "mine"
