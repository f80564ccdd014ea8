"""The contract of executors, and how every executor scores a pack."""

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
    """A pack of genomes to score together. `key` identifies the job for the caller.

    `limit` is the early-stopping threshold for evaluators with a hurdle; None: no genome is dropped there.
    """

    key: tuple[int, ...]
    genomes: tuple[str, ...]
    rung: int
    seed: int
    limit: Limit | None = None


class Executor(Protocol):
    """Scores jobs and returns them in any order. The outcomes of a job do not depend on the worker that scored it.

    A genome that makes scoring fail gets the outcome `crashed`, `oom` or `timeout`; the others of its job are scored
    again, once, each alone.
    """

    def submit(self, job: Job) -> None:
        """Queues a job."""
        ...

    def next(self) -> tuple[Job, list[Outcome]]:
        """Waits for a job to finish; returns it and the outcomes of its genomes. Call it only while jobs are queued.

        Raises:
            Stopped: a stop was requested while waiting.
            NoWorker: a worker process could not build the evaluator.
        """
        ...

    def close(self) -> None:
        """Drops all queued jobs and ends the workers."""
        ...


class Stopped(Exception):
    """A stop was requested while waiting for a job."""


class NoWorker(RuntimeError):
    """The evaluator could not be built, in this process or in a worker process."""

    def __init__(self, task: str, cause: BaseException) -> None:
        text = (str(cause).splitlines() or [""])[-1]
        super().__init__(f"could not load the task {task} ({type(cause).__name__}: {text:.300})")


def failure(error: BaseException) -> Outcome:
    """Returns the outcome of a genome whose scoring raised an exception."""
    return Outcome("oom" if out_of_memory(error) else "crashed", error=in_a_line(error))


def score_safely(
    evaluator: Evaluator[Any], genomes: Sequence[str], rung: int, seed: int, limit: Limit | None = None
) -> list[Outcome]:
    """Scores a pack; if that raises, scores each genome alone, so that a bad genome fails alone."""
    try:
        return evaluator.score(genomes, rung, seed, limit)
    except (Exception, SystemExit) as error:
        if len(genomes) == 1:
            return [failure(error)]
        log.warning("a pack of %d failed (%s); scoring its genomes one by one", len(genomes), error)
    return [score_safely(evaluator, [genome], rung, seed, limit)[0] for genome in genomes]
