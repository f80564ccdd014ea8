"""`germline leaderboard`: the package's table, a table made anew with real trainings of few steps, a place in it."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from command_line import call, data

from germline.evaluators.optimizer.task import TrainingTask
from germline.evaluators.tasks.digits_mlp import DigitsMLP
from germline.evaluators.tasks.registry import BUILT_IN, task_class
from germline.search.leaderboard.protocol import BASELINES, TASKS
from germline.search.leaderboard.table_file import package_table
from germline.search.leaderboard.versions import versions_of


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def write_lines(path: Path, lines: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8")


def package_lines() -> list[dict[str, Any]]:
    """The header of the package's table and the rows of `digits-mlp`, as if they had been measured with the versions of
    now."""
    header, *rows = lines_of(package_table())
    own = [row for row in rows if row["task"] == "digits-mlp"]
    versions = [asdict(versions_of("digits-mlp", DigitsMLP, row["baseline"], "cpu")) for row in own]
    return [header, *(row | {"versions": each} for row, each in zip(own, versions, strict=True))]


@pytest.mark.slow
def test_every_built_in_task_for_optimizers_belongs_to_the_leaderboard() -> None:
    assert set(TASKS) == {name for name in BUILT_IN if issubclass(task_class(name), TrainingTask)}


@pytest.mark.slow
def test_the_package_has_every_baseline_of_a_task_or_names_the_task_as_not_measured(tmp_path: Path) -> None:
    board = data(tmp_path / "a.db", "leaderboard")
    shown = {task["task"]: [result["ref"] for result in task["results"]] for task in board["tasks"]}
    assert sorted([*shown, *(each["task"] for each in board["left_out"])]) == sorted(TASKS)
    assert all(sorted(refs) == sorted(BASELINES) for refs in shown.values())
    for task in board["tasks"]:
        [yardstick] = [result for result in task["results"] if result["ref"] == board["yardstick"]]
        assert 0.7 < yardstick["speed_up"] < 1.4, "the yardstick reaches its own target at about its end"
        means = [result["mean"] for result in task["results"] if result["failed"] == 0]
        assert means == sorted(means) and len(means) >= 3
    assert not (tmp_path / "a.db").exists(), "nothing is recorded where nothing is trained"


def test_what_the_file_derives_for_its_readers_is_what_the_command_computes(tmp_path: Path) -> None:
    lines = package_lines()
    write_lines(tmp_path / "table.jsonl", lines)
    [task] = data(tmp_path / "a.db", "leaderboard", "--table", tmp_path / "table.jsonl")["tasks"]
    rows = {row["baseline"]: row for row in lines[1:]}
    for result in task["results"]:
        row = rows[result["ref"]]
        for name in ("mean", "deviation", "failed", "speed_up", "losses"):
            assert result[name] == row[name], name
    again = call(tmp_path / "a.db", "leaderboard", "library:adamw", "--table", tmp_path / "table.jsonl")
    assert again.exit_code == 2 and "expected another optimizer than the baselines, got library:adamw" in again.output


def test_a_row_of_another_version_is_left_out_with_a_line(tmp_path: Path) -> None:
    changes = {"task": 99, "scoring": 0, "program": "0"}
    messages = {
        "task": f"left out, measured with version 99 of the task, which has version {DigitsMLP.version}: digits-mlp",
        "scoring": "of scoring and trainings",
        "program": "measured with another program of the name library:adamw",
    }
    for field, value in changes.items():
        lines = package_lines()
        lines[1]["versions"][field] = value
        write_lines(tmp_path / "old.jsonl", lines)
        result = call(tmp_path / "a.db", "leaderboard", "--table", tmp_path / "old.jsonl")
        assert result.exit_code == 0 and messages[field] in result.stdout, result.output
        refused = call(tmp_path / "a.db", "leaderboard", "library:lamb", "--table", tmp_path / "old.jsonl")
        assert refused.exit_code == 2 and "expected a task that can be compared" in refused.output


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("library:nothing",), "expected a program of the library"),
        (("library:lamb", "--task", "digits-cells"), "expected a task for kind optimizer"),
        (("library:lamb", "--held-out", "--task", "digits-mlp"), "expected a held-out task with --held-out"),
        (("library:lamb", "--trials", "3"), "expected --remake with --trials"),
        (("library:lamb", "--remake"), "expected --remake without a REF"),
        (("--untuned",), "expected a REF with --untuned"),
        (("--table", "missing.jsonl"), "expected a table of baselines in missing.jsonl"),
        (("--remake", "--seeds", "7"), "expected the protocol of"),
        (("-o", "board.txt"), "ends in .md"),
        (("torch:Nothing",), "expected torch:NAME"),
    ],
)
def test_a_mistake_is_one_line(words: tuple[str, ...], expected: str, tmp_path: Path) -> None:
    result = call(tmp_path / "a.db", "leaderboard", *words)
    assert result.exit_code == 2 and expected in result.output and result.output.count("\n") == 1, result.output


@pytest.mark.parametrize(
    ("line", "field", "value"),
    [
        (0, "table", 99),
        (0, "baselines", ["library:lion"]),
        (0, "protocol", {"trials": "many"}),
        (1, "losses", [0.1]),
        (1, "steps", -1),
        (1, "constants", {"rate": 0.1}),
        (1, "baseline", "library:lamb"),
    ],
)
def test_a_file_that_is_no_table_is_one_line(line: int, field: str, value: Any, tmp_path: Path) -> None:
    lines = package_lines()
    lines[line][field] = value
    write_lines(tmp_path / "bad.jsonl", lines)
    result = call(tmp_path / "a.db", "leaderboard", "--table", tmp_path / "bad.jsonl")
    assert result.exit_code == 2 and result.output.startswith("Error: expected ") and result.output.count("\n") == 1


def test_a_table_from_elsewhere_chooses_no_code(tmp_path: Path) -> None:
    file = tmp_path / "own.py"
    file.write_text("raise RuntimeError('imported')\n")
    lines = package_lines()
    lines[1]["task"] = f"{file}:Own"
    write_lines(tmp_path / "other.jsonl", lines)
    result = call(tmp_path / "a.db", "leaderboard", "--table", tmp_path / "other.jsonl")
    assert result.exit_code == 0 and f"only if you name them with --task: {file}:Own" in result.stdout, result.output


@pytest.mark.slow
def test_a_table_is_made_goes_on_and_measures_others_as_it_measured_its_rows(tmp_path: Path) -> None:
    table, database = tmp_path / "table.jsonl", tmp_path / "a.db"
    protocol = {"trials": 3, "tuning_seeds": 2, "rounds": 1, "length": 0.05, "seeds": 2}
    header = {"table": 1, "protocol": protocol, "baselines": ["library:adamw", "library:lion"]}
    write_lines(table, [header])
    remake = ("leaderboard", "--remake", "--table", table, "--task", "digits-mlp", "--executor", "inline")
    remade_board = data(database, *remake)
    [task] = remade_board["tasks"]
    assert task["steps"] == 10 and {result["ref"] for result in task["results"]} == set(header["baselines"])
    whole = table.read_bytes()
    _, adamw, lion = lines_of(table)
    assert lion["trainings"] > 3 and len(lion["losses"]) == 2 and len(lion["curves"][0]) == 10

    # A row of another version is measured again, to the last bit, and the other is not.
    write_lines(table, [header, adamw, lion | {"versions": lion["versions"] | {"task": 99}}])
    again = call(tmp_path / "b.db", *remake)
    assert again.exit_code == 0 and "lion tuned in" in again.stderr and "adamw tuned in" not in again.stderr
    assert table.read_bytes() == whole

    # A baseline that the table lacks is measured as the table measured it, here beside a class of torch.
    write_lines(table, [header | {"baselines": ["library:adamw"]}, adamw])
    command = ("leaderboard", "library:lion", "torch:SGD", "--table", table, "--executor", "inline")
    board = data(database, *command)
    results = {result["ref"]: result for result in board["tasks"][0]["results"]}
    assert results["library:lion"]["losses"] == lion["losses"] and results["library:lion"]["judged"]
    assert results["library:lion"]["steps_to_target"] == (lion["steps_to_target"] or "inf")
    assert set(results) == {"library:lion", "torch:SGD", "library:adamw"}
    [group] = board["groups"]
    pairs = [(each["ref"], each["against"]) for each in group["verdicts"]]
    assert pairs == [("library:lion", "library:adamw"), ("torch:SGD", "library:adamw")]

    # Untuned, it has its own constants, which are those of the first of its sampled points; a baseline may be judged.
    own = data(database, *command, "library:adamw", "--untuned")
    results = {result["ref"]: result for result in own["tasks"][0]["results"]}
    assert set(results) == {f"{ref}, untuned" for ref in ("library:lion", "torch:SGD", "library:adamw")} | {
        "library:adamw"
    }
    assert results["torch:SGD, untuned"]["point"]["rate"] == 0.001
    assert results["library:lion, untuned"]["point"] != lion["constants"]

    page = tmp_path / "board.md"
    text = call(database, *command, "-o", page)
    assert text.exit_code == 0 and "library:lion (judged)" in text.stdout and "Verdicts" in text.stdout
    written = page.read_text(encoding="utf-8")
    assert f"germline leaderboard library:lion torch:SGD --table {table}" in written
    assert "protocol: 3 trials" in written and "protocol: 3 trials" in text.stdout
