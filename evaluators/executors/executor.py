"""The contract of executors: jobs, the answers of processes that score, and the errors that end a search."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from germline.evaluators.errors import in_a_line
from germline.evaluators.evaluator import Evaluator
from germline.evaluators.hurdle import Limit
from germline.evaluators.memory import out_of_memory
from germline.evaluators.outcome import Outcome


@dataclass(frozen=True)
class Job:
    """A pack of genomes to score together; `rung`, `seed` and `limit` are those of `Evaluator.score`.

    `key` identifies the job for the caller, and differs from that of every other job. `births` are the births of the
    genomes, in order, if a search submits them; else empty.
    """

    key: tuple[int, ...]
    genomes: tuple[str, ...]
    rung: int
    seed: int
    limit: Limit | None = None
    births: tuple[int, ...] = ()


class Executor(Protocol):
    """Scores jobs and returns them in any order. The outcomes of a job do not depend on the worker that scored it.

    A genome that makes scoring fail gets the outcome `crashed`, `oom` or `timeout`; the others of its job get the
    outcomes that they would have without it.
    """

    def wait_until_ready(self) -> None:
        """Waits until a worker can score. Raises the errors of `next`."""
        ...

    def submit(self, job: Job) -> None:
        """Queues a job."""
        ...

    def next(self) -> tuple[Job, list[Outcome]]:
        """Waits for a job to finish; returns it and the outcomes of its genomes. Call it only while jobs are queued.

        Raises:
            Stopped: a stop was requested while waiting.
            NoWorker: no worker process could build the evaluator.
            ClusterLost: the processes that run the workers are gone.
            DeviceLost: the device of this process, in which genomes are scored, cannot be used any more.
        """
        ...

    def close(self) -> None:
        """Drops all queued jobs and ends the workers. It does not raise."""
        ...


class Stopped(Exception):
    """A stop was requested while waiting for a job."""


class NoWorker(RuntimeError):
    """The evaluator could not be built, in this process or in a worker process.

    Args:
        task: the name of the task.
        cause: why, in a line.
    """

    def __init__(self, task: str, cause: str) -> None:
        super().__init__(f"could not load the task {task} ({cause})")


class NoCluster(RuntimeError):
    """Ray could not be started or reached."""


class ClusterLost(RuntimeError):
    """The processes that run the workers have ended, or cannot be reached any more. What was recorded stays."""


class DeviceLost(RuntimeError):
    """A genome has made the device unusable for this process, which cannot be replaced. What was recorded stays.

    Args:
        device: the name of the device.
        cause: why it cannot be used, in a line.
    """

    def __init__(self, device: str, cause: str) -> None:
        advice = "with --executor ray a process that this happens to is replaced"
        super().__init__(f"the device {device} cannot be used by this process any more ({cause}); {advice}")


@dataclass(frozen=True)
class Failed:
    """Scoring raised an exception or exceeded its time limit. `outcome` is the genome's, if only one was scored."""

    outcome: Outcome


@dataclass(frozen=True)
class Lost:
    """The process ended while it scored. `outcome` is the genome's, if only one was scored and it is blamed.

    `suspect` is True if the genomes may have ended the process: it crashed or exited by itself, or filled the memory.
    It is False if somebody else ended it, or its machine was lost.
    """

    outcome: Outcome
    suspect: bool


def failure(error: BaseException) -> Outcome:
    """Returns the outcome of a genome whose scoring raised an exception."""
    return Outcome("oom" if out_of_memory(error) else "crashed", error=in_a_line(error))


def score(
    evaluator: Evaluator[Any],
    job: Job,
    only: Sequence[int] | None = None,
    not_of_the_task: tuple[type[BaseException], ...] = (),
) -> list[Outcome] | Failed:
    """Returns the outcomes of the genomes of a job in order, or `Failed` if scoring raised an exception.

    Args:
        evaluator: the evaluator.
        job: the job.
        only: positions of the genomes to score; None: all of them.
        not_of_the_task: classes of exceptions that do not come from the task, and are raised again.
    """
    try:
        return evaluator.score(job.genomes, job.rung, job.seed, job.limit, only)
    except not_of_the_task:
        raise
    except BaseException as error:
        return Failed(failure(error))
