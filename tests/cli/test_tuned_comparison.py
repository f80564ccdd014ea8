"""`germline validate --against`, from tuning to verdict, with real trainings of few steps."""

import signal
import sqlite3
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
from command_line import call, data
from command_process import start_command

SMALL = ("--trials", "3", "--lengths", "0.05", "--seeds", "2", "--task", "digits-mlp")


def without_times(comparison: dict[str, Any]) -> dict[str, Any]:
    for cell in comparison["cells"]:
        for result in cell["results"]:
            assert result.pop("microseconds") > 0
    return comparison


@pytest.mark.slow
def test_a_comparison_on_ray_workers_is_that_of_this_process(local_ray: None, tmp_path: Path) -> None:
    command = ("validate", "library:lion", "--against", "library:sgd_momentum", *SMALL)
    here = without_times(data(tmp_path / "a.db", *command, "--executor", "inline"))
    assert here == without_times(data(tmp_path / "b.db", *command, "--executor", "ray", "--workers", "2"))
    [cell] = here["cells"]
    assert cell["steps"] == 10 and cell["curve_steps"] == list(range(1, 11))
    assert cell["reference"] == "library:sgd_momentum"
    for result in cell["results"]:
        assert list(result["best_after"]) == ["1", "3"] and result["trainings"] > 3
        assert result["best_after"]["3"] <= result["best_after"]["1"]
        assert len(result["losses"]) == 2 and [curve[-1] for curve in result["curves"]] == result["losses"]
        assert result["failed"] == 0.0 and set(result["point"]) >= {"rate", "warm-up", "schedule"}
    assert [verdict["against"] for verdict in here["verdicts"]] == ["library:sgd_momentum"]
    for verdict in here["verdicts"]:
        [pair] = verdict["cells"]
        assert pair["p"] in (0.5, 1.0) and verdict["verdict"] in ("not better", "undecided")
        assert (verdict["more_seeds"] is None) == (verdict["verdict"] == "not better")


@pytest.mark.slow
def test_tables_on_the_terminal_and_in_markdown(tmp_path: Path) -> None:
    program = tmp_path / "bad.txt"
    program.write_text(
        "def train(w, g, lr):\n  update = exp10(w) * 1e30\n  update = update * update\n  return update\n"
    )
    table = tmp_path / "table.md"
    command = ("validate", program, "library:adamw", "--against", "library:lion", *SMALL, "--executor", "inline")
    result = call(tmp_path / "a.db", *command, "-o", table, "--curves", tmp_path / "curves.svg")
    assert result.exit_code == 0, result.output
    assert "library:lion (reference)" in result.stdout and "library:adamw beside library:lion" in result.stdout
    assert "not finite by step" in result.stdout, "a contender that always fails has no numbers and a reason"
    text = table.read_text()
    assert "| library:adamw | library:lion | digits-mlp ×0.05 |" in text
    assert f"germline validate {program} library:adamw --against library:lion --task digits-mlp --rung 0" in text
    drawing = (tmp_path / "curves.svg").read_text()
    assert drawing.count('<g id="band-') == 2, "the one that failed has no curve"
    again = call(tmp_path / "a.db", *command, "-o", table)
    assert again.exit_code == 2 and "--force" in again.output


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("library:adamw", "--trials", "4"), "expected --against with --trials"),
        (("library:adamw", "--seeds", "auto"), "expected --against with --seeds auto"),
        (("library:adamw", "--against", "library:adamw"), "something else than the candidates themselves"),
        (("library:adamw", "--against", "library:lion", "--seeds", "1"), "expected 2 to 40 seeds"),
        (("library:adamw", "--against", "library:lion", "--lengths", "1,1"), "expected different multiples"),
        (
            ("library:adamw", "--against", "library:lion", "--task", "digits-cells"),
            "expected a task for kind optimizer",
        ),
        (("library:adamw", "--against", "library:lion", "-o", "table.txt"), "ends in .md"),
        (("library:adamw", "--against", "library:lion", "--curves", "a.gif"), "ends in .svg, .png or .pdf"),
        (("library:adamw", "--against", "nothing"), "expected RUN, RUN:BIRTH, library:NAME"),
        (("library:adamw", "--seeds", "0"), "expected a number from 1 to 1,000, or auto"),
    ],
)
def test_a_mistake_is_one_line(words: tuple[str, ...], expected: str, tmp_path: Path) -> None:
    result = call(tmp_path / "a.db", "validate", *words)
    assert result.exit_code == 2 and expected in result.output, result.output


@pytest.mark.slow
def test_classes_of_torch_and_of_a_file_are_contenders(tmp_path: Path) -> None:
    file = tmp_path / "own.py"
    file.write_text(
        "import torch\n\n\nclass Broken(torch.optim.SGD):\n    def step(self, closure=None):\n"
        "        raise RuntimeError('no step')\n"
    )
    command = ("validate", "torch:SGD", "--against", f"library:sgd_momentum,{file}:Broken", *SMALL)
    comparison = data(tmp_path / "a.db", *command, "--executor", "inline", "--seeds", "auto")
    [cell] = comparison["cells"]
    sgd, program, broken = cell["results"]
    verdict, beside_broken = comparison["verdicts"]
    assert beside_broken["against"].endswith("Broken") and beside_broken["verdict"] == "better"
    assert comparison["seeds"] == len(sgd["losses"]) in (10, 15, 20, 25, 30)
    assert comparison["seeds"] == 30 or verdict["more_seeds"] is None
    assert sgd["ref"] == "torch:SGD" and set(sgd["point"]) >= {"rate", "momentum", "decay", "warm-up", "schedule"}
    assert sgd["failed"] == program["failed"] == 0.0 and sgd["microseconds"] > 0
    assert broken["tuned"] is None and broken["losses"] == [] and "no step" in broken["error"]
    wrong = call(tmp_path / "a.db", "validate", "torch:Sgd", "--against", "library:adamw", *SMALL)
    assert wrong.exit_code == 2 and "expected torch:NAME" in wrong.output


@pytest.mark.slow
def test_a_comparison_goes_on_where_it_was_and_its_verdict_is_exported(tmp_path: Path) -> None:
    database = tmp_path / "runs.db"
    settings = ("--set", "population=8", "--set", "warmup=0", "--set", "lengths=0.05", "--set", "review_every=0")
    assert call(database, "search", "optimizer", *settings, "--births", "64", "--executor", "inline").exit_code == 0
    command = ("validate", "optimizer-1", "--against", "library:lion", *SMALL, "--executor", "inline")
    whole = without_times(data(database, *command))
    names = [each["ref"] for each in whole["contenders"]]
    assert names[1:] == ["library:lion", f"start of {names[0]}"] and whole["contenders"][0]["search_loss"] > 0
    with closing(sqlite3.connect(database)) as connection:
        [(count,)] = connection.execute("SELECT count(*) FROM training")
        assert count > 100
        connection.execute("DELETE FROM training WHERE id > ?", (count // 2,))  # as if it had been killed there
        connection.commit()
        assert without_times(data(database, *command)) == whole
        assert [(count,)] == list(connection.execute("SELECT count(*) FROM training"))
        [(last,)] = connection.execute("SELECT max(id) FROM training")
        again = call(database, *command)
        assert "recorded the verdict on optimizer-1:" in again.stdout
        assert [(last,)] == list(connection.execute("SELECT max(id) FROM training")), "nothing is trained twice"
    assert call(database, "export", "optimizer-1", "-o", tmp_path / "found.py").exit_code == 0
    docstring = (tmp_path / "found.py").read_text()
    assert "library:lion" in docstring and "Verdict: by 2 fresh seeds, digits-mlp ×0.05" in docstring
    assert call(database, "db", "check").exit_code == 0


@pytest.mark.slow
def test_a_signal_ends_a_comparison_in_order(tmp_path: Path) -> None:
    database = tmp_path / "runs.db"
    words = ("validate", "library:lion", "--against", "library:adamw", "--task", "digits-mlp", "--executor", "inline")
    with start_command(*words, "--lengths", "0.2,4", database=database) as process:
        deadline = time.monotonic() + 100
        while time.monotonic() < deadline and not _recorded(database):
            time.sleep(0.1)
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM, errors
    assert "interrupted; what is trained is recorded, and the same command goes on from there" in errors
    assert _recorded(database) > 0 and call(database, "db", "check").exit_code == 0


def _recorded(database: Path) -> int:
    """The number of recorded trainings; 0 while there is no table."""
    if not database.exists():
        return 0
    with closing(sqlite3.connect(database)) as connection, suppress(sqlite3.OperationalError):
        return int(connection.execute("SELECT count(*) FROM training").fetchone()[0])
    return 0
