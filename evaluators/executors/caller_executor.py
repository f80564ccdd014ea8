"""Hands jobs to whoever drives the search, who scores the genomes elsewhere and tells their outcomes later."""

from collections import deque
from dataclasses import dataclass

from germline.evaluators.executors.executor import Job
from germline.evaluators.hurdle import Limit
from germline.evaluators.outcome import Outcome


@dataclass(frozen=True, slots=True)
class Asked:
    """A genome that waits for its outcome.

    Attributes:
        id: `BIRTH:RUNG:SEED`, the same in every session of the run.
        birth: of the individual.
        genome: as text.
        rung: level of effort, counted from 0: an amount of training, or a number of episodes.
        seed: of the evaluation, not of the run; 0 but in reviews.
        task: the name of the run's task.
        limit: the threshold at the hurdle (see `Limit`); None: there is none.
    """

    id: str
    birth: int
    genome: str
    rung: int
    seed: int
    task: str
    limit: Limit | None = None


class CallerExecutor:
    """The executor of a search whose genomes its caller scores. Jobs have one genome each, of a birth.

    Unlike an `Executor` it cannot wait for an outcome, so `next` returns None where others wait.

    Args:
        task: the name of the run's task.

    Attributes:
        waiting: the genomes without an outcome by id, in the order in which the search submitted them.
        starved: True if the search has asked for an outcome and there was none.
    """

    def __init__(self, task: str) -> None:
        self.task = task
        self.waiting: dict[str, tuple[Asked, Job]] = {}
        self.told: deque[tuple[Job, list[Outcome]]] = deque()
        self.starved = False

    def wait_until_ready(self) -> None:
        return

    def submit(self, job: Job) -> None:
        [genome], [birth] = job.genomes, job.births
        key = f"{birth}:{job.rung}:{job.seed}"
        self.waiting[key] = Asked(key, birth, genome, job.rung, job.seed, self.task, job.limit), job

    def tell(self, key: str, outcome: Outcome) -> None:
        """Takes the outcome of a genome that waits. Raises KeyError if none of this id does."""
        _, job = self.waiting.pop(key)
        self.told.append((job, [outcome]))

    def next(self) -> tuple[Job, list[Outcome]] | None:
        """A job whose outcome was told, with it; None if there is none."""
        self.starved = not self.told
        return self.told.popleft() if self.told else None

    def close(self) -> None:
        self.waiting.clear()
        self.told.clear()
