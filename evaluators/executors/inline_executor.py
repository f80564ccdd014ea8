"""Scores jobs in this process."""

import signal
from collections import deque
from typing import Any

from germline.evaluators.device import NoDevice
from germline.evaluators.errors import in_a_line
from germline.evaluators.evaluator import Evaluator, EvaluatorSpec
from germline.evaluators.executors.attempts import Call, parts_of
from germline.evaluators.executors.executor import DeviceLost, Failed, Job, NoWorker, score
from germline.evaluators.outcome import Outcome


class InlineExecutor:
    """Scores jobs in this process, one at a time.

    It does not isolate: a genome that hangs, ends the process, exhausts the memory or makes the device unusable takes
    the search with it, and what a task changes in the process, such as a patched function of torch, stays changed for
    the genomes that follow. The Ray executor protects from all of these. An exception of the task is an outcome
    here too.

    Raises:
        NoDevice: the device is not available.
        NoWorker: the evaluator could not be built.
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
    """Returns the outcomes of the genomes of a job, in order. If scoring the job raises, it is scored again in parts.

    Raises:
        DeviceLost: a genome has made the device unusable, for all genomes that follow.
    """
    outcomes: dict[int, Outcome] = {}
    calls = deque([Call(job)])
    while calls:
        call = calls.popleft()
        answer = score(evaluator, job, call.positions, _not_of_the_task())
        if isinstance(answer, Failed):
            if cause := evaluator.lost_device():
                raise DeviceLost(evaluator.device, cause)
            if not call.has_one_genome:
                calls.extendleft(Call(job, part) for part in reversed(parts_of(call.places)))
                continue
            answer = [answer.outcome]
        outcomes.update(zip(call.places, answer, strict=True))
    return [outcomes[position] for position in range(len(job.genomes))]


def _not_of_the_task() -> tuple[type[BaseException], ...]:
    """The exceptions that do not come from the task: Ctrl-C, unless this process handles SIGINT in its own way.

    The handler of a search on the command line raises nothing, so that a KeyboardInterrupt there is the task's.
    """
    return (KeyboardInterrupt,) if signal.getsignal(signal.SIGINT) is signal.default_int_handler else ()
