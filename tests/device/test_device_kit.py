"""The kit of device tests: a rehearsal of all its steps on the CPU, and what it does when something goes wrong."""

import json
import math
import os
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import device_compile
import device_session
import own_tree
import pytest
from device_limits import OutOfTime, is_over, time_limit
from device_report import STATUSES, Report
from device_session import DeviceGone, run_steps
from device_step import NotHere, Step, extra
from device_watch import Patience, Plan, watch

SCRIPT = Path(__file__).parent / "run.py"
ABSENT = ("ray", "deap", "gymnasium", "rich", "safetensors", "onnx", "onnxruntime", "psutil", "mujoco")
"""Packages that a bare machine lacks, beside those whose wheels are carried along."""
BARE = f"import sys\nsys.modules.update(dict.fromkeys({ABSENT!r}))  # whoever imports one of them gets an ImportError\n"
CHECKS = [
    *("compile", "special-values", "engine-bits", "trainers", "networks", "policies", "search", "memory"),
    "replaced-process",
]
MEASURED = ["digits-mlp", "text-transformer", "engine", "cells-quick", "cells-proxy", "search", "frostbite"]
BAD_STEPS = """
import ctypes, os, signal, time
from device_step import Step

def good(device):
    yield {"summary": "good"}

def hangs(device):
    yield {"rows": [], "partial": 3}
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])
    ctypes.CDLL(None).sleep(600)

def faults(device):
    yield {"partial": 4}
    os.kill(os.getpid(), signal.SIGSEGV)

STEPS = tuple(Step(name, f"bad_steps:{name}", {}, {}, 0.3) for name in ("faults", "hangs", "good"))
STEPS += (Step("absent", "no_such_module:run", {}, {}, 0.3), Step("last", "bad_steps:good", {}, {}, 0.3))
"""


def report(path: Path) -> Report:
    return Report(path, {"device": "cpu"}, [])


@dataclass(frozen=True)
class LocalStep(Step):
    """A step whose function yields the result of a function of a test."""

    action: Callable[..., dict[str, Any]] = dict

    def function(self) -> Callable[..., Any]:
        def results(*args: Any, **sizes: Any) -> Any:
            yield self.action(*args, **sizes)

        return results


def step(name: str, action: Callable[..., dict[str, Any]], seconds: float = 1.0) -> Step:
    return LocalStep(name, "", {"size": 1_000}, {"size": 1}, seconds, action)


def run(steps: list[Step], path: Path, small: bool = True, budget: float = 60.0) -> list[dict[str, Any]]:
    """The records of the steps as they are in the file."""
    run_steps(steps, "cpu", small, time.monotonic() + budget, report(path))
    return json.loads(path.read_text())["steps"]  # type: ignore[no-any-return]


@pytest.mark.slow
def test_a_rehearsal_on_the_cpu_of_a_bare_machine(tmp_path: Path) -> None:
    """In a folder of its own, without an installed Germline and without the packages that a bare machine lacks."""
    (tmp_path / "bare").mkdir()
    (tmp_path / "bare" / "sitecustomize.py").write_text(BARE)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "bare"), "OUT": str(tmp_path / "out")}
    command = [sys.executable, str(SCRIPT), "--device", "cpu", "--small", "--budget", "250"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stdout + done.stderr
    content = json.loads((tmp_path / "out" / "device.json").read_text())
    assert (content["version"], content["finished"], content["small"], content["device"]) == (2, True, True, "cpu")
    assert content["versions"]["torch"] and content["device_name"] and content["budget_seconds"] == 250
    steps = {each["name"]: each for each in content["steps"]}
    without = [] if find_spec("triton") else ["kernel-sizes"]
    assert [name for name, each in steps.items() if each["status"] != "ok"] == without
    assert [name for name, each in steps.items() if "passed" in each] == CHECKS
    assert all(steps[name]["passed"] for name in CHECKS)
    assert [name for name, each in steps.items() if "rows" in each] == MEASURED
    for name in MEASURED:
        for row in steps[name]["rows"]:
            assert row["value"] > 0 and row["ratio"] > 0 and row["unit"] and row["baseline"]
    for name in ("digits-mlp", "text-transformer"):
        assert steps[name]["per_step"]["operations"] > 10 and steps[name]["cost"]["milliseconds_per_step"] > 0
        assert steps[name]["fresh"]["rate"] > 0
    assert not [key for each in content["steps"] for key in each if key.endswith("_error")]
    assert all(each["seconds"] >= 0 and ("summary" in each or name in without) for name, each in steps.items())
    table = (tmp_path / "out" / "device.txt").read_text()
    assert all(name in table for name in steps)


@pytest.mark.slow
def test_an_error_in_a_step_is_recorded_and_the_next_step_runs(tmp_path: Path) -> None:
    def fail(device: str, size: int) -> dict[str, Any]:
        raise RuntimeError("CUDA error: misaligned address\nand more")

    records = run(
        [step("first", fail), step("second", lambda device, size: {"summary": f"{device} {size}"})], tmp_path / "a.json"
    )
    assert [record["status"] for record in records] == ["failed", "ok"]
    assert records[0]["error"] == "RuntimeError: CUDA error: misaligned address" and "fail" in records[0]["traceback"]
    assert records[1]["summary"] == "cpu 1"


@pytest.mark.slow
def test_after_every_step_the_file_has_what_there_is_so_far(tmp_path: Path) -> None:
    path = tmp_path / "a.json"

    def look(device: str, size: int) -> dict[str, Any]:
        content = json.loads(path.read_text())
        return {"seen": [(each["name"], each["status"]) for each in content["steps"]], "ended": content["finished"]}

    records = run([step("first", look), step("second", look)], path)
    assert records[0]["seen"] == [["first", "running"]]
    assert records[1]["seen"] == [["first", "ok"], ["second", "running"]] and records[1]["ended"] is False
    assert sorted(each.name for each in tmp_path.iterdir()) == ["a.json", "a.txt"]


@pytest.mark.slow
def test_a_step_for_which_the_time_does_not_suffice_is_left_out(tmp_path: Path) -> None:
    steps = [step("long", dict, seconds=100.0), step("short", lambda device, size: {"size": size}, seconds=5.0)]
    records = run(steps, tmp_path / "a.json", small=False, budget=50.0)
    assert [record["status"] for record in records] == ["skipped", "ok"]
    assert records[0]["error"] == "50 s were left, and it takes about 100 s" and records[1]["size"] == 1_000


@pytest.mark.slow
def test_a_step_that_takes_all_the_time_is_stopped(tmp_path: Path) -> None:
    began = time.monotonic()
    endless = step("endless", lambda device, size: time.sleep(60.0) or {})
    records = run([endless, step("next", dict)], tmp_path / "a.json", budget=1.2)
    assert time.monotonic() - began < 20.0
    assert [record["status"] for record in records] == ["failed", "skipped"]
    assert records[0]["error"].startswith("OutOfTime: stopped after 1 s")


@pytest.mark.slow
def test_a_step_that_takes_much_longer_than_it_should_leaves_time_for_the_others(tmp_path: Path) -> None:
    endless = step("endless", lambda device, size: time.sleep(60.0) or {}, seconds=0.2)
    records = run([endless, step("next", lambda device, size: {})], tmp_path / "a.json", small=False, budget=30.0)
    assert [record["status"] for record in records] == ["failed", "ok"]


def test_a_time_limit_that_was_caught_is_still_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("device_limits.AGAIN", 0.1)
    with pytest.raises(OutOfTime), time_limit(0.1):
        try:
            time.sleep(10.0)
        except BaseException:
            assert is_over()
        time.sleep(10.0)
    assert not is_over()


def test_a_step_that_lacks_something_is_skipped_and_says_what(tmp_path: Path) -> None:
    def lacking(device: str, size: int) -> dict[str, Any]:
        raise NotHere("a search needs sqlalchemy")

    written = report(tmp_path / "a.json")
    run_steps([step("search", lacking)], "cpu", True, time.monotonic() + 60.0, written)
    assert (written.steps[0]["status"], written.steps[0]["error"]) == ("skipped", "a search needs sqlalchemy")
    assert written.is_good


def test_an_extra_result_that_fails_costs_nothing_else() -> None:
    def fail() -> None:
        raise RuntimeError("no CUPTI")

    assert extra("launches", fail) == {"launches_error": "RuntimeError: no CUPTI"}
    assert extra("launches", lambda: 3) == {"launches": 3}


@pytest.mark.slow
def test_a_device_that_is_lost_after_a_step_needs_another_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    causes = iter([None, "CUDA error: device-side assert triggered"])
    monkeypatch.setattr(device_session, "lost", lambda device: next(causes, None))
    steps = [step(name, lambda device, size: {"size": size}) for name in ("first", "poison", "third")]
    path = tmp_path / "a.json"
    with pytest.raises(DeviceGone):
        run(steps, path)
    again = Report.read(path)
    assert [each["status"] for each in again.steps] == ["ok", "failed"] and again.steps[1]["size"] == 1
    assert again.steps[1]["lost_device"] == "CUDA error: device-side assert triggered"
    run_steps(steps, "cpu", True, time.monotonic() + 60.0, again)
    assert [each["status"] for each in again.steps] == ["ok", "failed", "ok"] and not again.is_good


@pytest.mark.slow
def test_a_step_that_hangs_and_one_that_ends_the_process_leave_the_others_their_turn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bad_steps.py").write_text(BAD_STEPS)
    paths = [str(tmp_path), str(own_tree.ROOT / ".namespace"), str(SCRIPT.parents[1] / "helpers")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))
    path = tmp_path / "a.json"
    report(path).write()
    names = ["faults", "hangs", "good", "absent", "last"]
    plan = Plan(names, "cpu", False, str(path), time.monotonic() + 200.0, "bad_steps")
    assert watch(plan, Patience(step=1.0)) == 1
    content = json.loads(path.read_text())
    steps = {each["name"]: each for each in content["steps"]}
    assert [steps[name]["status"] for name in names] == ["failed", "failed", "ok", "failed", "ok"]
    assert steps["faults"]["error"] == "the process was ended by SIGSEGV" and steps["faults"]["partial"] == 4
    assert steps["hangs"]["error"] == "the process was killed: it did not react for 2 s"
    assert 1.9 <= steps["hangs"]["seconds"] < 10.0 and steps["hangs"]["partial"] == 3
    assert steps["absent"]["error"] == "ModuleNotFoundError: No module named 'no_such_module'"
    assert content["finished"] and "process_errors" not in content


@pytest.mark.slow
def test_a_step_that_hangs_at_the_end_of_the_session_does_not_outlive_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bad_steps.py").write_text(BAD_STEPS)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), str(own_tree.ROOT / ".namespace")]))
    path = tmp_path / "a.json"
    report(path).write()
    deadline = time.monotonic() + 5.0
    assert watch(Plan(["hangs", "good"], "cpu", True, str(path), deadline, "bad_steps"), Patience(end=1.0)) == 1
    assert time.monotonic() - deadline < 30.0
    content = json.loads(path.read_text())
    assert content["finished"] and [each["status"] for each in content["steps"]][-1] == "skipped"


@pytest.mark.slow
def test_a_process_that_cannot_begin_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    report(path).write()
    assert watch(Plan(["first"], "cpu", True, str(path), time.monotonic() + 60.0, "no_such_module")) == 1
    content = json.loads(path.read_text())
    assert content["process_errors"] == ["between steps: the process ended with exit status 1"] * 2
    assert [each["status"] for each in content["steps"]] == ["skipped"]


def test_what_compiles_beside_a_step_that_is_stopped_is_ended_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    started = []

    class Process(subprocess.Popen[str]):
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            started.append(self)

    def fail(device: str) -> None:
        raise OutOfTime("stopped after 60 s")

    monkeypatch.setattr(device_compile, "COMPILING", {"endless": "import time; time.sleep(600)"})
    monkeypatch.setattr(device_compile, "prepare", fail)
    monkeypatch.setattr(subprocess, "Popen", Process)
    monkeypatch.setenv("PYTHONPATH", "")
    with pytest.raises(OutOfTime):
        list(device_compile.compile_kernels("cpu", apart=True))
    assert [process.returncode for process in started] == [-9]


@pytest.mark.slow
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
    assert done.returncode == 2 and "expected names of steps (compile, special-values," in done.stderr
    assert done.stderr.strip().endswith("got frost")


def test_a_copy_of_the_tree_without_its_links_gets_new_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in own_tree.FOLDERS:
        (tmp_path / folder).mkdir()
    monkeypatch.setattr(own_tree, "ROOT", tmp_path)
    package = own_tree._namespace() / "germline"
    assert sorted(each.name for each in package.iterdir()) == sorted(own_tree.FOLDERS)
    assert all((package / folder).resolve() == tmp_path / folder for folder in own_tree.FOLDERS)


def test_wheels_stand_in_for_what_is_not_installed_or_is_to_be_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "instead").mkdir()
    names = ("carried-1.0-py3-none-any.whl", "numpy-9.0-py3-none-any.whl", "instead/click-9.0-py3-none-any.whl")
    for number, name in enumerate(names):
        with zipfile.ZipFile(tmp_path / name, "w") as wheel:
            wheel.writestr(f"carried_{number}.py", "VALUE = 3\n")
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setenv("PYTHONPATH", "after")
    own_tree.use_own_tree(tmp_path)
    paths = os.environ["PYTHONPATH"].split(os.pathsep)
    assert paths[-1] == "after" and sys.path[: len(paths) - 1] == paths[:-1]
    assert sorted(each.name for each in Path(paths[-2]).iterdir()) == ["carried_0.py", "carried_2.py"]
