"""What a task may raise in this process, and whose Ctrl-C it is."""

import signal
from collections.abc import Iterator
from typing import Any

import pytest
from scripted_evaluator import CHANGED, ScriptedSpec

from germline.evaluators.executors.executor import DeviceLost, Job, NoWorker
from germline.evaluators.executors.inline_executor import InlineExecutor
from germline.evaluators.outcome import Outcome


@pytest.fixture
def handled() -> Iterator[None]:
    """A handler of SIGINT that raises nothing, such as that of a search on the command line."""
    before = signal.signal(signal.SIGINT, lambda number, frame: None)
    yield
    signal.signal(signal.SIGINT, before)


def execute(loading: str = "") -> InlineExecutor:
    spec: Any = ScriptedSpec(loading)
    return InlineExecutor(spec)


def scored(*genomes: str) -> list[Outcome]:
    executor = execute()
    executor.submit(Job((0,), genomes, 0, 0))
    return executor.next()[1]


@pytest.mark.parametrize(
    ("genome", "error"),
    [
        ("raise", "RuntimeError: a task that raises"),
        ("raise-unprintable", "Unprintable: (its message cannot be read)"),
        ("leave 3", "SystemExit: 3"),
        ("interrupt", "KeyboardInterrupt"),
    ],
)
def test_whatever_a_task_raises_is_the_outcome_of_its_genome_alone(handled: None, genome: str, error: str) -> None:
    outcomes = scored("1", genome, "2")
    assert [outcome.fitness for outcome in outcomes] == [1.0, None, 2.0]
    assert (outcomes[1].status, outcomes[1].error) == ("crashed", error)


def test_an_interrupt_without_a_handler_is_the_users() -> None:
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    with pytest.raises(KeyboardInterrupt):
        scored("interrupt")


@pytest.mark.parametrize("loading", ["raise", "raise-unprintable", "leave 3"])
def test_a_task_that_cannot_be_built_is_one_clear_error(loading: str) -> None:
    with pytest.raises(NoWorker, match="could not load the task scripted "):
        execute(loading)


def test_it_does_not_isolate() -> None:
    try:
        assert scored("change torch", "1")[1].fitness != 1.0
    finally:
        CHANGED.clear()


def test_a_genome_that_makes_the_device_unusable_ends_the_search_and_is_no_fault_of_the_others() -> None:
    try:
        with pytest.raises(DeviceLost, match=r"cuda cannot be used .*device-side assert.*--executor ray"):
            scored("1", "change device", "2")
    finally:
        CHANGED.clear()
