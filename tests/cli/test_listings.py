"""`runs`, `presets` and `tasks`: what there is."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from own_tasks import LINE, task_file

from germline.db.store import Store

Data = Callable[..., Any]


def test_runs_gives_the_keys_of_the_contract(data: Data, searched: Path) -> None:
    row = data("runs")[0]
    keys = "name kind task preset seed status births evaluations cache_hits failures seconds best"
    assert set(row) >= set(keys.split())
    with Store(str(searched)) as store:
        best = store.best("first")
    assert best.evaluation is not None
    assert row["best"] == {"birth": best.individual.birth, "fitness": best.evaluation.fitness}
    assert (row["name"], row["kind"], row["seed"], row["status"], row["births"]) == (
        "first",
        "optimizer",
        3,
        "finished",
        60,
    )


def test_a_run_without_an_outcome_has_no_best(data: Data) -> None:
    assert data("runs")[1]["best"] is None


def test_runs_as_text_has_a_line_a_run(germline: Any) -> None:
    lines = germline("runs").stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["run", "first", "waiting"]
    assert "finished" in lines[1] and "stopped" in lines[2]


def test_without_a_database_runs_prints_how_to_start(germline: Any, tmp_path: Path) -> None:
    result = germline("runs", db=tmp_path / "none.db")
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert "germline search" in result.stderr
    assert not (tmp_path / "none.db").exists()


def test_with_an_empty_database_runs_prints_how_to_start_too(germline: Any, data: Data, tmp_path: Path) -> None:
    Store(str(tmp_path / "empty.db")).close()
    assert "germline search" in germline("runs", db=tmp_path / "empty.db").stderr
    assert data("runs", db=tmp_path / "empty.db") == []


@pytest.mark.slow
@pytest.mark.parametrize("command", [["runs"], ["--help"], ["runs", "--json"]])
def test_quick_answers_import_nothing_heavy(command: list[str], searched: Path) -> None:
    program = (
        "import sys\nfrom germline.cli.main import cli\n"
        f"cli({[*command]!r}, standalone_mode=False)\n"
        "heavy = {'torch', 'ray', 'numpy', 'sqlalchemy', 'alembic', 'deap'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    environment = {"GERMLINE_DB": str(searched), "PYTHONIOENCODING": "utf-8"}
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment)
    assert result.returncode == 0, result.stderr


def test_presets_lists_every_preset_and_every_setting(data: Data, germline: Any) -> None:
    from germline.search.kinds import KINDS

    settings = KINDS["optimizer"].settable
    [row] = data("presets", "optimizer")
    assert row["kind"] == "optimizer"
    assert [preset["name"] for preset in row["presets"]] == list(KINDS["optimizer"].presets)
    assert all(preset["description"] and preset["births"] > 0 for preset in row["presets"])
    assert [(listed["name"], listed["default"]) for listed in row["settings"]] == [
        (s.name, s.default) for s in KINDS["optimizer"].settable
    ]
    text = germline("presets").stdout
    assert all(setting.name in text and setting.help in text for setting in settings)


def test_settings_are_printed_in_the_form_of_set(germline: Any) -> None:
    from germline.cli.formatting import setting
    from germline.search.kinds import KINDS
    from germline.search.value_parsers import widths

    for one in KINDS["optimizer"].settable:
        assert one.parse(setting(one.default)) == one.default
    assert setting([]) == "none" and widths(8)("none") == []


def test_numbers_with_a_unit_move_to_the_next_unit_when_they_round_to_a_thousand() -> None:
    from germline.cli.formatting import milliseconds, size
    from germline.cli.live_view import _amount

    amounts = {0.0: "0", 950.4: "950", 999.6: "1k", 12_345: "12.3k", 999_499: "999k", 999_999: "1M", 2.5e12: "2500G"}
    assert {number: _amount(number) for number in amounts} == amounts
    assert [milliseconds(value) for value in (2.531, 999.4, 999.6, 12_345.6)] == [
        "2.53 ms",
        "999 ms",
        "1000 ms",
        "12346 ms",
    ]
    assert [size(2**20 - count) for count in (2**10, 1)] == ["1023.0 KiB", "1.0 MiB"]


def test_presets_suggests_the_nearest_kind(germline: Any) -> None:
    result = germline("presets", "optimiser")
    assert result.exit_code == 2 and "did you mean optimizer?" in result.stderr


@pytest.mark.slow
def test_tasks_lists_the_built_in_tasks(data: Data, germline: Any) -> None:
    from germline.evaluators.tasks.registry import BUILT_IN

    rows = {row["name"]: row for row in data("tasks")}
    assert set(rows) >= set(BUILT_IN)
    for name in BUILT_IN:
        row = rows[name]
        assert row["rungs"][0]["episodes" if row["kind"] == "policy" else "steps"] > 0
        assert row["kind"] != "optimizer" or row["parameters"] > 0
        assert row["version"] >= 1
    text = germline("tasks").stdout
    assert all(name in text for name in BUILT_IN)
    assert "FILE.py:Class" in text


def test_tasks_describes_a_class_in_a_file(data: Data, tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(
        "from germline.evaluators.tasks.digits_mlp import DigitsMLP\n"
        "class Mine(DigitsMLP):\n    '''Digits, but mine.'''\n    name = 'mine'\n"
    )
    [row] = data("tasks", f"{path}:Mine")
    assert (row["name"], row["description"]) == ("mine", "Digits, but mine.")


@pytest.mark.slow
def test_tasks_names_the_held_out_tasks_and_a_search_on_one_warns(germline: Any, data: Data) -> None:
    assert [row["held_out_task"] for row in data("tasks", "digits-deep", "digits-mlp")] == [True, False]
    assert "version 1, a held-out task" in germline("tasks", "digits-deep").stdout
    search = ("search", "optimizer", "--births", "1", "--set", "strategy=random", "--set", "review_every=0")
    few = ("--set", "warmup=0", "--set", "block=1", "--executor", "inline")
    assert germline(*search, *few, "--task", "digits-deep").stderr.startswith("Warning: digits-deep is a held-out task")


def test_no_preset_searches_on_a_held_out_task() -> None:
    from germline.evaluators.tasks.name_grammar import names_of
    from germline.evaluators.tasks.registry import task_class
    from germline.search.kinds import KINDS

    tasks = [preset.task or kind.default_task for kind in KINDS.values() for preset in kind.presets.values()]
    assert not any(task_class(name).held_out_task for each in tasks for name in names_of(each))


def test_tasks_suggests_the_nearest_name(germline: Any) -> None:
    result = germline("tasks", "digits-mpl")
    assert result.exit_code == 2 and "digits-mlp" in result.stderr


BROKEN = """

class Broken(Line):
    def loss(self, params, split, index):
        print("noise")
        raise RuntimeError("no data \\x1b[31m")
"""


@pytest.mark.slow
def test_a_checked_task_has_reports_and_an_exit_status(
    germline: Any, data: Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("germline.search.task_trial.headroom.STEPS", 5)
    path = task_file(tmp_path, LINE + BROKEN)
    [row] = data("tasks", f"{path}:Line", "--check")
    assert row["batch_invariant"] is False
    report, timed, estimated = row["trials"]
    assert report["broken"] is False and "leave batch_invariant out" in report["conclusion"]
    assert {finding["name"] for finding in report["findings"]} >= {"alone", "in pairs", "in another process"}
    assert "times as fast beside others as alone" in timed["conclusion"]
    assert [finding["name"] for finding in estimated["findings"]] == ["tuned losses", "headroom"]
    result = germline("tasks", f"{path}:Broken", "--check")
    assert result.exit_code == 1 and "noise" not in result.stdout
    assert "no fitness: RuntimeError: no data \ufffd[31m" in result.stdout


def test_a_check_needs_a_task(germline: Any) -> None:
    result = germline("tasks", "--check")
    assert result.exit_code == 2 and "expected a TASK to check, got none" in result.stderr
