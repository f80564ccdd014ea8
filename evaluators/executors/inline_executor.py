"""Scores jobs in this process."""

import signal
from collections import deque
from collections.abc import Sequence
from typing import Any

from germline.evaluators.device import NoDevice
from germline.evaluators.errors import in_a_line
from germline.evaluators.evaluator import Evaluator, EvaluatorSpec
from germline.evaluators.executors.executor import DeviceLost, Failed, Job, NoWorker, score
from germline.evaluators.outcome import Outcome


class InlineExecutor:
    """Scores jobs in this process, one at a time.

    It does not isolate: a genome that hangs, ends the process, exhausts the memory or makes the device unusable takes
    the search with it, and what a task changes in the process, such as a patched function of torch, stays changed for
    the genomes that follow. The Ray executor protects from all of these. An exception of the task is an outcome
    here too.
    """

    def __init__(self, spec: EvaluatorSpec) -> None:
        try:
            self.evaluator = spec.build()
        except NoDevice:
            raise
        except BaseException as error:
            if isinstance(error, _not_of_the_task()):
                raise
            raise NoWorker(spec.task, in_a_line(error)) from error
        self.waiting: deque[Job] = deque()

    def wait_until_ready(self) -> None:
        return

    def submit(self, job: Job) -> None:
        self.waiting.append(job)

    def next(self) -> tuple[Job, list[Outcome]]:
        job = self.waiting.popleft()
        return job, score_here(self.evaluator, job)

    def close(self) -> None:
        self.waiting.clear()
        self.evaluator.close()


def score_here(evaluator: Evaluator[Any], job: Job) -> list[Outcome]:
    """Returns the outcomes of the genomes of a job, in order. If scoring it raises, each genome is scored alone.

    Raises:
        DeviceLost: a genome has made the device unusable, for all genomes that follow.
    """
    answer = _score(evaluator, job, None)
    if not isinstance(answer, Failed):
        return answer
    if len(job.genomes) == 1:
        return [answer.outcome]
    answers = [_score(evaluator, job, [position]) for position in range(len(job.genomes))]
    return [answer.outcome if isinstance(answer, Failed) else answer[0] for answer in answers]


def _score(evaluator: Evaluator[Any], job: Job, only: Sequence[int] | None) -> list[Outcome] | Failed:
    answer = score(evaluator, job, only, _not_of_the_task())
    if isinstance(answer, Failed) and (cause := evaluator.lost_device()):
        raise DeviceLost(evaluator.device, cause)
    return answer


def _not_of_the_task() -> tuple[type[BaseException], ...]:
    """The exceptions that are this process's own: Ctrl-C, unless a handler of signals takes it.

    The handler of a search on the command line raises nothing, so that a KeyboardInterrupt there is the task's.
    """
    return (KeyboardInterrupt,) if signal.getsignal(signal.SIGINT) is signal.default_int_handler else ()
