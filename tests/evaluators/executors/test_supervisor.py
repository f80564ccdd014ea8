"""A supervisor and its process, with genomes that end, hang or change that process, and others who kill it."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from multiprocessing import Pipe
from pathlib import Path
from typing import Any

import pytest
from scripted_evaluator import ScriptedSpec

from germline.evaluators.evaluator import EvaluatorSpec
from germline.evaluators.executors.executor import Failed, Job, Lost
from germline.evaluators.executors.fork_server import _Child
from germline.evaluators.executors.supervisor import MOST_STARTS, NotLoaded, Supervisor
from germline.evaluators.outcome import Outcome
from germline.programs.optimizer import library

pytestmark = pytest.mark.slow


@pytest.fixture
def supervise() -> Iterator[Callable[..., Supervisor]]:
    supervisors: list[Supervisor] = []

    def make(loading: str = "", load_seconds: float = 30.0, preloading: str = "") -> Supervisor:
        spec: Any = ScriptedSpec(loading, preloading=preloading)
        supervisors.append(Supervisor(spec, "data", load_seconds))
        return supervisors[-1]

    yield make
    for supervisor in supervisors:
        supervisor.close()


def job(*genomes: str) -> Job:
    return Job((0,), genomes, rung=0, seed=0)


def pid_of(supervisor: Supervisor) -> int:
    (outcome,) = supervisor.score(job("1"), None, 10.0)  # type: ignore[misc,union-attr]
    return int(outcome.worker)


def test_outcomes_come_back_in_order_and_for_the_chosen_positions_alone(supervise: Callable[..., Supervisor]) -> None:
    supervisor = supervise()
    whole = supervisor.score(job("1", "2.5", "3"), None, 10.0)
    part = supervisor.score(job("1", "2.5", "raise"), (1, 0), 10.0)
    assert [outcome.fitness for outcome in whole] == [1.0, 2.5, 3.0]  # type: ignore[union-attr]
    assert [outcome.fitness for outcome in part] == [2.5, 1.0]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("genome", "error"),
    [
        ("raise", "RuntimeError: a task that raises"),
        ("raise-unprintable", "Unprintable: (its message cannot be read)"),
        ("interrupt", "KeyboardInterrupt"),
        ("leave 3", "SystemExit: 3"),
        ("change torch", "RuntimeError: a task that changed its process"),
    ],
)
def test_a_process_in_which_something_raised_is_replaced(
    supervise: Callable[..., Supervisor], genome: str, error: str
) -> None:
    supervisor = supervise()
    before = pid_of(supervisor)
    answer = supervisor.score(job(genome), None, 10.0)
    assert isinstance(answer, Failed) and (answer.outcome.status, answer.outcome.error) == ("crashed", error)
    (outcome,) = supervisor.score(job("7"), None, 10.0)  # type: ignore[misc,union-attr]
    assert outcome.fitness == 7.0 and int(outcome.worker) != before


@pytest.mark.parametrize(
    ("genome", "error", "suspect"),
    [
        ("exit 3", "the process ended with exit status 3", True),
        ("segfault", "the process ended with SIGSEGV", True),
        ("signal SIGABRT", "the process ended with SIGABRT", True),
        ("signal 40", "the process ended with signal 40", True),
        ("signal SIGTERM", "the process ended with SIGTERM", False),
        ("signal SIGINT", "the process ended with SIGINT", False),
        ("signal SIGKILL", "the process ended with SIGKILL", False),
    ],
)
def test_genomes_are_suspect_if_their_process_ended_by_itself(
    supervise: Callable[..., Supervisor], genome: str, error: str, suspect: bool
) -> None:
    supervisor = supervise()
    answer = supervisor.score(job("1", genome), None, 10.0)
    assert isinstance(answer, Lost)
    assert (answer.outcome.status, answer.outcome.error, answer.suspect) == ("crashed", error, suspect)
    assert supervisor.score(job("7"), None, 10.0)[0].fitness == 7.0  # type: ignore[index,union-attr]


@pytest.mark.parametrize("genome", ["sleep 1000", "ignore"])
def test_a_genome_that_hangs_is_a_timeout_within_its_limit(supervise: Callable[..., Supervisor], genome: str) -> None:
    supervisor = supervise()
    supervisor.load()
    began = time.monotonic()
    answer = supervisor.score(job(genome), None, 1.0)
    assert isinstance(answer, Failed) and answer.outcome.status == "timeout"
    assert time.monotonic() - began < 2.0
    assert supervisor.score(job("7"), None, 10.0)[0].fitness == 7.0  # type: ignore[index,union-attr]


def test_a_process_that_was_killed_while_idle_costs_nobody_anything(supervise: Callable[..., Supervisor]) -> None:
    supervisor = supervise()
    pid = pid_of(supervisor)
    os.kill(pid, signal.SIGKILL)
    time.sleep(0.2)
    assert pid_of(supervisor) != pid


def test_a_process_whose_parent_was_killed_says_nothing_about_its_genomes(supervise: Callable[..., Supervisor]) -> None:
    supervisor = supervise()
    answer = supervisor.score(job("kill-parent"), None, 10.0)
    assert answer == Lost(Outcome("crashed", error="the fork server ended with SIGKILL"), suspect=False)
    assert supervisor.score(job("7"), None, 10.0)[0].fitness == 7.0  # type: ignore[index,union-attr]


def test_a_parent_that_was_killed_while_idle_costs_nobody_anything(supervise: Callable[..., Supervisor]) -> None:
    supervisor = supervise()
    pid = pid_of(supervisor)
    os.kill(parent_of(pid), signal.SIGKILL)
    time.sleep(0.2)
    assert pid_of(supervisor) != pid
    assert not _lives(pid)


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def test_a_fork_server_that_does_not_answer_moves_no_time_limit(supervise: Callable[..., Supervisor]) -> None:
    supervisor = supervise()
    parent = parent_of(pid_of(supervisor))
    began = time.monotonic()
    threading.Timer(0.3, os.kill, (parent, signal.SIGSTOP)).start()
    answer = supervisor.score(job("sleep 1000"), None, 1.0)
    assert isinstance(answer, Failed) and answer.outcome.status == "timeout"
    assert time.monotonic() - began < 1.0 + 5.0
    assert not _lives(parent)
    assert supervisor.score(job("7"), None, 10.0)[0].fitness == 7.0  # type: ignore[index,union-attr]


def test_forks_draw_different_random_numbers(supervise: Callable[..., Supervisor]) -> None:
    supervisor = supervise(preloading="import numpy.random")
    draws = {supervisor.score(job("draw"), None, 10.0, fresh=True)[0].fitness for _ in range(3)}  # type: ignore[index,union-attr]
    assert len(draws) == 3


@pytest.mark.parametrize("preloading", ["import missing_module", "library libmissing.so", "raise"])
def test_what_cannot_be_imported_ahead_is_imported_by_each_process(
    supervise: Callable[..., Supervisor], preloading: str
) -> None:
    supervisor = supervise(preloading=preloading)
    assert supervisor.score(job("7"), None, 10.0)[0].fitness == 7.0  # type: ignore[index,union-attr]
    assert supervisor.score(job("7"), None, 10.0, fresh=True)[0].fitness == 7.0  # type: ignore[index,union-attr]


def test_how_a_fork_server_ended_is_told(supervise: Callable[..., Supervisor]) -> None:
    supervisor = supervise(preloading="signal SIGABRT")
    cause = f"{MOST_STARTS} processes in a row ended before that, the last because the fork server ended with SIGABRT"
    assert supervisor.load() == NotLoaded(cause)


@pytest.mark.parametrize("fork", [True, False])
@pytest.mark.parametrize("waitid", [True, False])
def test_how_a_process_ended_is_known_on_every_system(
    fork: bool, waitid: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not waitid:
        monkeypatch.delattr(os, "waitid")
    for loading, status in (("exit 3", 3), ("signal SIGTERM", -signal.SIGTERM)):
        ours, theirs = Pipe()
        beside, _ = Pipe()
        child = _Child(os.dup(theirs.fileno()), beside, fork)
        theirs.close()
        assert child.status() is None
        ours.send((ScriptedSpec(loading), "data"))
        while child.status() is None:
            time.sleep(0.01)
        assert child.status() == status
        ended, peak = child.end()
        assert ended == status and peak > 1e6
        assert child.end() == (ended, peak)
        assert not Path(f"/proc/{child.pid}").exists()


def test_no_process_is_left_behind(supervise: Callable[..., Supervisor]) -> None:
    supervisor = supervise()
    pids = [pid_of(supervisor)]
    for genome in ("raise", "exit 3", "segfault"):
        supervisor.score(job(genome), None, 10.0)
        pids.append(pid_of(supervisor))
    assert len(set(pids)) == len(pids)
    parent = parent_of(pids[-1])
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids[:-1]), "a process that ended is still a zombie"
    supervisor.close()
    assert not Path(f"/proc/{parent}").exists() and not _lives(pids[-1])


def test_a_process_is_forked_by_one_that_has_imported_torch_and_has_a_single_thread() -> None:
    supervisor = Supervisor(EvaluatorSpec("optimizer", "digits-mlp", seed=1), "data", 120.0)
    try:
        assert supervisor.load() is None
        (outcome,) = supervisor.score(job(library()["lion"]), None, 60.0)  # type: ignore[misc,union-attr]
        assert outcome.status == "ok"
        parent = supervisor._process.server._popen.pid
        assert "libtorch" in Path(f"/proc/{parent}/maps").read_text()
        assert len(list(Path(f"/proc/{parent}/task").iterdir())) == 1
    finally:
        supervisor.close()


def test_a_fresh_process_has_scored_nothing(supervise: Callable[..., Supervisor]) -> None:
    supervisor = supervise()
    pid = pid_of(supervisor)
    assert pid_of(supervisor) == pid
    (outcome,) = supervisor.score(job("1"), None, 10.0, fresh=True)  # type: ignore[misc,union-attr]
    assert int(outcome.worker) != pid


def test_the_children_of_a_task_end_with_its_process(supervise: Callable[..., Supervisor], tmp_path: Path) -> None:
    supervise().score(job(f"child {tmp_path / 'pid'}"), None, 10.0)
    child = int((tmp_path / "pid").read_text())
    deadline = time.monotonic() + 5.0
    while _lives(child) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not _lives(child)


def test_a_task_that_prints_without_end_disturbs_nobody(
    supervise: Callable[..., Supervisor], capfd: pytest.CaptureFixture[str]
) -> None:
    assert supervise().score(job("print"), None, 10.0)[0].status == "ok"  # type: ignore[index,union-attr]
    assert capfd.readouterr() == ("", "")


def test_why_a_task_cannot_be_loaded_is_told(supervise: Callable[..., Supervisor]) -> None:
    assert supervise("raise").load() == NotLoaded("RuntimeError: a task that raises")
    assert supervise("sleep 100", load_seconds=0.5).load() == NotLoaded("not loaded after 0.5 s")
    cause = f"{MOST_STARTS} processes in a row ended before that, the last because the process ended with SIGSEGV"
    assert supervise("segfault").load() == NotLoaded(cause)


def test_a_process_that_is_killed_while_it_loads_is_started_again(
    supervise: Callable[..., Supervisor], tmp_path: Path
) -> None:
    marker = tmp_path / "pid"

    def kill_it() -> None:
        while not marker.exists() or not marker.read_text():
            time.sleep(0.01)
        os.kill(int(marker.read_text()), signal.SIGTERM)

    threading.Thread(target=kill_it, daemon=True).start()
    supervisor = supervise(f"start-once {marker}")
    assert supervisor.load() is None


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


KILLED = """
import os, sys
from germline.evaluators.executors.supervisor import Supervisor
from scripted_evaluator import ScriptedSpec

supervisor = Supervisor(ScriptedSpec("keep-child " + sys.argv[1]), "data", 30.0)
print(supervisor.load(), flush=True)
os.kill(os.getpid(), 9)
"""


def test_processes_that_a_task_has_started_end_with_a_supervisor_that_is_killed(tmp_path: Path) -> None:
    place = tmp_path / "child"
    helpers = str(Path(__file__).parents[2] / "helpers")
    paths = os.pathsep.join([helpers, os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(place)],
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (-signal.SIGKILL, "None\n"), done.stderr
    child, deadline = int(place.read_text()), time.monotonic() + 10
    while _lives(child) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _lives(child)


KILLED_AT_ONCE = """
import os, sys, time
from germline.evaluators.executors.supervisor import Supervisor
from scripted_evaluator import ScriptedSpec

supervisor = Supervisor(ScriptedSpec("start-once " + sys.argv[1]), "data", 30.0)
time.sleep(float(sys.argv[2]))
os.kill(os.getpid(), 9)
"""


@pytest.mark.parametrize("seconds", ["0", "0.03", "0.06", "0.1"])
def test_nothing_goes_on_loading_after_a_supervisor_that_was_killed(tmp_path: Path, seconds: str) -> None:
    place = tmp_path / "pid"
    helpers = str(Path(__file__).parents[2] / "helpers")
    paths = os.pathsep.join([helpers, os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, "-c", KILLED_AT_ONCE, str(place), seconds]
    subprocess.run(command, env={**os.environ, "PYTHONPATH": paths}, timeout=60, check=False)
    deadline = time.monotonic() + 1.5
    while not place.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(0.3)
    written = place.read_text() if place.exists() else ""  # empty if it was killed between opening and writing
    assert not written or not _lives(int(written))
