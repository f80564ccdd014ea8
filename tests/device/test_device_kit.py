"""The kit of device tests: a rehearsal of all its steps on the CPU, and what it does when something goes wrong."""

import json
import math
import os
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import device_session
import own_tree
import pytest
from device_report import STATUSES, Report
from device_session import NotHere, Step, opened_report, run_steps

SCRIPT = Path(__file__).parent / "run.py"
ABSENT = ("ray", "deap", "gymnasium", "rich", "safetensors", "onnx", "onnxruntime", "psutil", "mujoco")
"""Packages that a bare machine lacks, beside those whose wheels are carried along."""
BARE = f"""
import runpy, sys
sys.modules.update(dict.fromkeys({ABSENT!r}))  # whoever imports one of them gets an ImportError
sys.path[0] = {str(SCRIPT.parent)!r}
sys.argv = [{str(SCRIPT)!r}, *sys.argv[1:]]
runpy.run_path({str(SCRIPT)!r}, run_name="__main__")
"""
CHECKS = ["compile", "engine-bits", "trainers", "networks", "policies", "search", "memory", "replaced-process"]
MEASURED = ["digits-mlp", "text-transformer", "engine", "cells", "frostbite", "search"]


def report(path: Path) -> Report:
    return Report(path, {"device": "cpu"}, [])


def step(name: str, run: Callable[..., dict[str, Any]], seconds: float = 1.0) -> Step:
    return Step(name, run, {"size": 1_000}, {"size": 1}, seconds)


def run(steps: list[Step], path: Path, **options: Any) -> list[dict[str, Any]]:
    """The records of the steps as they are in the file."""
    written = report(path)
    run_steps(steps, **{"device": "cpu", "small": True, "budget": 60.0, "report": written, **options})
    return json.loads(path.read_text())["steps"]  # type: ignore[no-any-return]


@pytest.mark.slow
def test_a_rehearsal_on_the_cpu_of_a_bare_machine(tmp_path: Path) -> None:
    """In a folder of its own, without an installed Germline and without the packages that a bare machine lacks."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    arguments = ["--device", "cpu", "--small", "--budget", "250", "--out", "out/device.json"]
    command = [sys.executable, "-c", BARE, *arguments]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stdout + done.stderr
    content = json.loads((tmp_path / "out" / "device.json").read_text())
    assert (content["version"], content["finished"], content["small"], content["device"]) == (1, True, True, "cpu")
    assert content["versions"]["torch"] and content["device_name"] and content["budget_seconds"] == 250
    steps = {each["name"]: each for each in content["steps"]}
    assert {name: each["status"] for name, each in steps.items()} == dict.fromkeys(steps, "ok")
    assert [name for name, each in steps.items() if "passed" in each] == CHECKS
    assert all(steps[name]["passed"] for name in CHECKS)
    assert [name for name, each in steps.items() if "rows" in each] == MEASURED
    for name in MEASURED:
        for row in steps[name]["rows"]:
            assert row["value"] > 0 and row["ratio"] > 0 and row["unit"] and row["baseline"]
    for name in ("digits-mlp", "text-transformer"):
        assert steps[name]["per_step"]["operations"] > 10
    assert all(each["seconds"] >= 0 and each["summary"] for each in steps.values())
    table = (tmp_path / "out" / "device.txt").read_text()
    assert all(name in table for name in steps)


def test_an_error_in_a_step_is_recorded_and_the_next_step_runs(tmp_path: Path) -> None:
    def fail(device: str, size: int) -> dict[str, Any]:
        raise RuntimeError("CUDA error: misaligned address\nand more")

    records = run(
        [step("first", fail), step("second", lambda device, size: {"summary": f"{device} {size}"})], tmp_path / "a.json"
    )
    assert [record["status"] for record in records] == ["failed", "ok"]
    assert records[0]["error"] == "RuntimeError: CUDA error: misaligned address" and "fail" in records[0]["traceback"]
    assert records[1]["summary"] == "cpu 1"


def test_after_every_step_the_file_has_what_there_is_so_far(tmp_path: Path) -> None:
    path = tmp_path / "a.json"

    def look(device: str, size: int) -> dict[str, Any]:
        content = json.loads(path.read_text())
        return {"seen": [(each["name"], each["status"]) for each in content["steps"]], "ended": content["finished"]}

    records = run([step("first", look), step("second", look)], path)
    assert records[0]["seen"] == [["first", "running"]]
    assert records[1]["seen"] == [["first", "ok"], ["second", "running"]] and records[1]["ended"] is False
    assert sorted(each.name for each in tmp_path.iterdir()) == ["a.json", "a.txt"]


def test_a_step_for_which_the_time_does_not_suffice_is_left_out(tmp_path: Path) -> None:
    steps = [step("long", dict, seconds=100.0), step("short", lambda device, size: {"size": size}, seconds=5.0)]
    records = run(steps, tmp_path / "a.json", small=False, budget=50.0)
    assert [record["status"] for record in records] == ["skipped", "ok"]
    assert records[0]["error"] == "50 s were left, and it takes about 100 s" and records[1]["size"] == 1_000


def test_a_step_that_takes_all_the_time_is_stopped(tmp_path: Path) -> None:
    began = time.monotonic()
    endless = step("endless", lambda device, size: time.sleep(60.0) or {})
    records = run([endless, step("next", dict)], tmp_path / "a.json", budget=1.2)
    assert time.monotonic() - began < 20.0
    assert [record["status"] for record in records] == ["failed", "skipped"]
    assert records[0]["error"].startswith("OutOfTime: stopped after 1 s")


def test_a_step_that_takes_much_longer_than_it_should_leaves_time_for_the_others(tmp_path: Path) -> None:
    endless = step("endless", lambda device, size: time.sleep(60.0) or {}, seconds=0.2)
    records = run([endless, step("next", lambda device, size: {})], tmp_path / "a.json", small=False, budget=30.0)
    assert [record["status"] for record in records] == ["failed", "ok"]


def test_a_step_that_lacks_something_is_skipped_and_says_what(tmp_path: Path) -> None:
    def lacking(device: str, size: int) -> dict[str, Any]:
        raise NotHere("a search needs sqlalchemy")

    written = report(tmp_path / "a.json")
    run_steps([step("search", lacking)], "cpu", True, 60.0, written)
    assert (written.steps[0]["status"], written.steps[0]["error"]) == ("skipped", "a search needs sqlalchemy")
    assert written.is_good


def test_a_lost_device_needs_a_fresh_process_which_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(device: str, size: int) -> dict[str, Any]:
        raise RuntimeError("CUDA error: device-side assert triggered")

    class Replaced(Exception):
        pass

    def replace() -> None:
        raise Replaced

    monkeypatch.setattr(device_session, "lost", lambda device: "CUDA error: device-side assert triggered")
    steps = [step("first", lambda device, size: {}), step("poison", fail), step("third", lambda device, size: {})]
    path = tmp_path / "a.json"
    with pytest.raises(Replaced):
        run_steps(steps, "cpu", True, 60.0, report(path), replace)
    again, spent = opened_report(path, "cpu", go_on=True)
    assert [each["name"] for each in again.steps] == ["first", "poison"] and spent >= 0
    assert again.steps[1]["lost_device"] == "CUDA error: device-side assert triggered"
    run_steps(steps, "cpu", True, 60.0, again)
    assert [each["status"] for each in again.steps] == ["ok", "failed", "ok"] and not again.is_good


def test_a_step_in_which_the_process_ended_has_failed(tmp_path: Path) -> None:
    written = report(tmp_path / "a.json")
    written.record({"name": "first", "status": "running", "sizes": {}})
    (again,) = opened_report(tmp_path / "a.json", "cpu", go_on=True)[0].steps
    assert (again["status"], again["error"]) == ("failed", "the process ended within this step")
    assert opened_report(tmp_path / "a.json", "cpu", go_on=False)[0].steps == []


def test_numbers_that_json_does_not_know_become_texts(tmp_path: Path) -> None:
    import numpy as np

    values = {"a": math.nan, "b": [math.inf, np.float32(0.5)], "c": np.int64(3), "passed": False}
    (record,) = run([step("numbers", lambda device, size: values)], tmp_path / "a.json")
    assert (record["a"], record["b"], record["c"]) == ("nan", ["inf", 0.5], 3.0)
    assert "FAILED" in (tmp_path / "a.txt").read_text()
    assert record["status"] in STATUSES


def test_an_unknown_step_and_a_missing_gpu_are_one_line(tmp_path: Path) -> None:
    arguments = [sys.executable, str(SCRIPT), "--out", str(tmp_path / "a.json")]
    done = subprocess.run([*arguments, "frost"], capture_output=True, text=True, timeout=120)
    assert done.returncode == 2 and "expected names of steps (compile, engine-bits," in done.stderr
    assert done.stderr.strip().endswith("got frost")


def test_a_copy_of_the_tree_without_its_links_gets_new_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in own_tree.FOLDERS:
        (tmp_path / folder).mkdir()
    monkeypatch.setattr(own_tree, "ROOT", tmp_path)
    package = own_tree._namespace() / "germline"
    assert sorted(each.name for each in package.iterdir()) == sorted(own_tree.FOLDERS)
    assert all((package / folder).resolve() == tmp_path / folder for folder in own_tree.FOLDERS)


def test_wheels_are_found_behind_what_is_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with zipfile.ZipFile(tmp_path / "carried-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("carried_along.py", "VALUE = 3\n")
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setenv("PYTHONPATH", "before")
    own_tree.use_own_tree(tmp_path)
    assert (Path(sys.path[-1]) / "carried_along.py").exists()
    assert os.environ["PYTHONPATH"].endswith(os.pathsep + "before")
