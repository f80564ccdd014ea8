"""Scores jobs in this process."""

from collections import deque

from germline.evaluators.device import NoDevice
from germline.evaluators.evaluator import EvaluatorSpec
from germline.evaluators.executors.executor import Job, NoWorker, score_safely
from germline.evaluators.outcome import Outcome


class InlineExecutor:
    """Scores jobs in this process, one at a time. Unlike the Ray executor it cannot end a genome that hangs."""

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
