"""Workers of Ray that are killed, hang or cannot start, and a search that is stopped or looks away."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from scripted_evaluator import ScriptedSpec

from germline.evaluators.executors.executor import Job, NoWorker, Stopped
from germline.evaluators.outcome import Outcome

Execute = Callable[..., Any]


@pytest.fixture
def execute(local_ray: None) -> Iterator[Execute]:
    from germline.evaluators.executors.ray_executor import RayExecutor

    executors: list[RayExecutor] = []

    def make(loading: str = "", workers: int = 1, **options: Any) -> RayExecutor:
        spec: Any = ScriptedSpec(loading)
        executors.append(RayExecutor(spec, workers, **options))
        return executors[-1]

    yield make
    for executor in executors:
        executor.close()


def scored(executor: Any, *genomes: str) -> list[Outcome]:
    executor.submit(Job((0,), genomes, 0, 0))
    outcomes: list[Outcome] = executor.next()[1]
    return outcomes


def actors() -> list[int]:
    """Process ids of the workers of this test process's Ray."""
    import psutil

    def is_actor(process: psutil.Process) -> bool:
        try:
            return "_Actor" in "".join(process.cmdline())
        except psutil.Error:  # it has ended since it was listed
            return False

    return [process.pid for process in psutil.Process().children(recursive=True) if is_actor(process)]


def kill_actors(number: signal.Signals, times: int, after: float = 0.3) -> threading.Thread:
    """Sends a signal to every worker as soon as it scores, some times."""

    def run() -> None:
        known: set[int] = set()
        while len(known) < times:
            for pid in set(actors()) - known:
                known.add(pid)
                time.sleep(after)
                os.kill(pid, number)
            time.sleep(0.02)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_genome_whose_workers_are_killed_is_not_blamed(execute: Execute, number: signal.Signals) -> None:
    executor = execute()
    executor.wait_until_ready()
    killing = kill_actors(number, times=3)
    executor.submit(Job((0,), ("sleep 1.5",), 0, 0))
    (outcome,) = executor.next()[1]
    killing.join(1.0)
    assert outcome.status == "ok" and not killing.is_alive()


def test_a_bad_genome_is_blamed_and_the_others_of_its_pack_are_not(execute: Execute) -> None:
    outcomes = scored(execute(workers=2), "1", "exit 3", "2", "raise", "3", "change torch", "4")
    assert [outcome.fitness for outcome in outcomes] == [1.0, None, 2.0, None, 3.0, None, 4.0]
    assert [outcome.error for outcome in outcomes if outcome.error] == [
        "the process ended with exit status 3",
        "RuntimeError: a task that raises",
        "RuntimeError: a task that changed its process",
    ]


def test_a_genome_that_kills_its_worker_again_and_again_is_blamed(
    execute: Execute, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("germline.evaluators.executors.attempts.MOST_ACCIDENTS", 1)
    (outcome,) = scored(execute(), "kill-worker")
    assert outcome.status == "crashed" and str(outcome.error).startswith("the worker ended: ")


def test_results_that_are_there_count_however_late_they_are_looked_at(execute: Execute) -> None:
    executor = execute(workers=2, timeout=1.0)
    executor.wait_until_ready()
    executor.submit(Job((0,), ("1",), 0, 0))
    executor.submit(Job((1,), ("sleep 0.5",), 0, 0))
    executor.submit(Job((2,), ("2",), 0, 0))  # waits for a worker all the time
    time.sleep(3.0)
    assert {executor.next()[1][0].status for _ in range(3)} == {"ok"}


def test_a_task_that_cannot_be_built_is_told_at_once(execute: Execute) -> None:
    with pytest.raises(NoWorker, match=r"could not load the task scripted \(RuntimeError: a task that raises\)"):
        execute("raise").wait_until_ready()


def test_what_is_missing_where_workers_run_is_told_at_once(
    local_ray: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from germline.evaluators.executors.ray_executor import RayExecutor

    (tmp_path / "not_on_workers.py").write_text("class Spec:\n    task, device = 'far', 'cpu'\n")
    monkeypatch.syspath_prepend(tmp_path)
    executor = RayExecutor(import_module("not_on_workers").Spec(), 1)
    try:
        with pytest.raises(NoWorker, match=r"the task far \(ModuleNotFoundError: No module named 'not_on_workers'\)"):
            executor.wait_until_ready()
    finally:
        executor.close()


def test_a_task_that_kills_every_worker_ends_the_search(execute: Execute, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("germline.evaluators.executors.ray_executor.MOST_LOST", 3)
    with pytest.raises(NoWorker, match="3 workers in a row ended before that"):
        execute("kill-worker").wait_until_ready()


def test_a_worker_that_is_killed_while_it_starts_is_replaced(execute: Execute, tmp_path: Path) -> None:
    killing = kill_actors(signal.SIGKILL, times=1, after=0.0)
    executor = execute()
    executor.wait_until_ready()
    killing.join(5.0)
    assert not killing.is_alive() and scored(executor, "5")[0].fitness == 5.0


def test_workers_that_find_no_free_core_wait_while_others_work(execute: Execute) -> None:
    executor = execute(workers=4)  # Ray has two
    for key in range(6):
        executor.submit(Job((key,), (f"{key}", "sleep 0.1"), 0, 0))
    assert {executor.next()[0].key for _ in range(6)} == {(key,) for key in range(6)}


def test_a_stop_ends_the_waiting(execute: Execute) -> None:
    executor = execute(stopped=lambda: time.monotonic() > deadline)
    deadline = time.monotonic() + 60.0
    executor.wait_until_ready()
    executor.submit(Job((0,), ("sleep 1000",), 0, 0))
    deadline = time.monotonic() + 0.5
    with pytest.raises(Stopped):
        executor.next()
