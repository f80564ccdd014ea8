"""Scores jobs in this process."""

import signal
from collections import deque

from germline.evaluators.device import NoDevice
from germline.evaluators.errors import in_a_line
from germline.evaluators.evaluator import EvaluatorSpec
from germline.evaluators.executors.executor import Job, NoWorker, Failed, score
from germline.evaluators.outcome import Outcome


class InlineExecutor:
    """Scores jobs in this process, one at a time.

    It does not isolate: a genome that hangs, ends the process or exhausts the memory takes the search with it, and what
    a task changes in the process, such as a patched function of torch, stays changed for the genomes that follow. The
    Ray executor protects from all of these. An exception of the task is an outcome here too.
    """

    def __init__(self, spec: EvaluatorSpec) -> None:
        try:
            self.evaluator = spec.build()
        except (NoDevice, *_own_exceptions()):
            raise
        except BaseException as error:
            raise NoWorker(spec.task, in_a_line(error)) from error
        self.waiting: deque[Job] = deque()

    def wait_until_ready(self) -> None:
        return

    def submit(self, job: Job) -> None:
        self.waiting.append(job)

    def next(self) -> tuple[Job, list[Outcome]]:
        job = self.waiting.popleft()
        answer = score(self.evaluator, job, None, _own_exceptions())
        if isinstance(answer, Failed):
            return job, [answer.outcome] if len(job.genomes) == 1 else self._each_alone(job)
        return job, answer

    def close(self) -> None:
        self.waiting.clear()

    def _each_alone(self, job: Job) -> list[Outcome]:
        answers = [
            score(self.evaluator, job, [position], _own_exceptions()) for position in range(len(job.genomes))
        ]
        return [answer.outcome if isinstance(answer, Failed) else answer[0] for answer in answers]


def _own_exceptions() -> tuple[type[BaseException], ...]:
    """The exceptions that mean this process and not the task: Ctrl-C, unless a handler of signals takes it.

    The handler of a search on the command line raises nothing, so that a KeyboardInterrupt there is the task's.
    """
    return (KeyboardInterrupt,) if signal.getsignal(signal.SIGINT) is signal.default_int_handler else ()
