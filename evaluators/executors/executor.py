"""The contract of executors, and what they share."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from germline.evaluators.errors import in_a_line
from germline.evaluators.evaluator import Evaluator
from germline.evaluators.hurdle import Limit
from germline.evaluators.memory import out_of_memory
from germline.evaluators.outcome import Outcome

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Job:
    """Genomes to score together. `key` tells the caller which of its requests this was.

    `limit` is what a genome may show at a hurdle, for evaluators that have one; None: anything.
    """

    key: tuple[int, ...]
    genomes: tuple[str, ...]
    rung: int
    seed: int
    limit: Limit | None = None


class Executor(Protocol):
    """Takes jobs and gives them back with outcomes, in any order. What a job comes to does not depend on who ran it.

    A genome that makes scoring fail gets the outcome `crashed`, `oom` or `timeout`; those beside it are scored again,
    once, each on its own.
    """

    def submit(self, job: Job) -> None: ...

    def next(self) -> tuple[Job, list[Outcome]]:
        """Waits for any job to be done. Call it only while jobs are under way.

        Raises:
            Stopped: the caller's `stopped` became true while waiting.
        """
        ...

    def close(self) -> None:
        """Drops what is under way and frees the workers."""
        ...


class Stopped(Exception):
    """Waiting was given up because the caller wants to end."""


class NoWorker(RuntimeError):
    """The evaluator could not be set up, here or in a worker process."""

    def __init__(self, task: str, cause: BaseException) -> None:
        text = (str(cause).splitlines() or [""])[-1]
        super().__init__(f"could not load the task {task} ({type(cause).__name__}: {text:.300})")


def failure(error: BaseException) -> Outcome:
    """The outcome of a genome whose scoring raised."""
    return Outcome("oom" if out_of_memory(error) else "crashed", error=in_a_line(error))


def score_safely(
    evaluator: Evaluator[Any], genomes: Sequence[str], rung: int, seed: int, limit: Limit | None = None
) -> list[Outcome]:
    """Scores a pack; if that raises, scores each genome alone, so that one bad genome costs only itself."""
    try:
        return evaluator.score(genomes, rung, seed, limit)
    except (Exception, SystemExit) as error:
        if len(genomes) == 1:
            return [failure(error)]
        log.warning("a pack of %d failed (%s); scoring its genomes one by one", len(genomes), error)
    return [score_safely(evaluator, [genome], rung, seed, limit)[0] for genome in genomes]
