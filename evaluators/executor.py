"""Running jobs: the contract of executors, what they share, and the one that works in this process."""

import logging
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from germline.evaluators.device import NoDevice
from germline.evaluators.errors import in_a_line
from germline.evaluators.evaluator import Evaluator, EvaluatorSpec
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
    evaluator: Evaluator, genomes: Sequence[str], rung: int, seed: int, limit: Limit | None = None
) -> list[Outcome]:
    """Scores a pack; if that raises, scores each genome alone, so that one bad genome costs only itself."""
    try:
        return evaluator.score(genomes, rung, seed, limit)
    except (Exception, SystemExit) as error:
        if len(genomes) == 1:
            return [failure(error)]
        log.warning("a pack of %d failed (%s); scoring its genomes one by one", len(genomes), error)
    return [score_safely(evaluator, [genome], rung, seed, limit)[0] for genome in genomes]


class InlineExecutor:
    """Scores in this process, one job at a time. It cannot interrupt a genome that hangs; the Ray executor can."""

    def __init__(self, spec: EvaluatorSpec) -> None:
        try:
            self.evaluator = spec.build()
        except NoDevice:
            raise
        except (Exception, SystemExit) as error:
            raise NoWorker(spec.task, error) from error
        self.waiting: deque[Job] = deque()

    def submit(self, job: Job) -> None:
        self.waiting.append(job)

    def next(self) -> tuple[Job, list[Outcome]]:
        job = self.waiting.popleft()
        return job, score_safely(self.evaluator, job.genomes, job.rung, job.seed, job.limit)

    def close(self) -> None:
        self.waiting.clear()
