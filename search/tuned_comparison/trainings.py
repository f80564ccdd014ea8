"""Trainings on an executor: each is done once, whatever asks for it again."""

from collections.abc import Callable, Sequence
from typing import Protocol

from germline.evaluators.executors.executor import Executor, Job, Stopped
from germline.evaluators.outcome import Outcome

Key = tuple[str, int]
"""The text of a training and its evaluation seed."""


class Memo(Protocol):
    """The outcomes of the trainings on one task at one rung."""

    def known(self, keys: Sequence[Key]) -> dict[Key, Outcome]:
        """Returns the outcomes of those keys that have one."""
        ...

    def add(self, outcomes: dict[Key, Outcome]) -> None:
        """Keeps outcomes."""
        ...


class Trainings:
    """Does trainings in packs.

    Args:
        executor: scores packs; its evaluator is a `TrainingEvaluator`.
        memo: outcomes that are known already, and where new ones are kept.
        pack: most trainings in a pack, which have one evaluation seed.
        stopped: polled between packs; once it returns True, `Stopped` is raised.
    """

    def __init__(
        self, executor: Executor, memo: Memo, pack: int = 16, stopped: Callable[[], bool] = lambda: False
    ) -> None:
        self.executor, self.memo, self.pack, self.stopped = executor, memo, pack, stopped
        self._jobs = 0

    def outcomes(self, keys: Sequence[Key]) -> list[Outcome]:
        """Returns the outcome of each training, in order.

        Raises:
            Stopped, NoWorker, ClusterLost, DeviceLost: as `Executor.next`; the packs that are done by then are kept.
        """
        known = self.memo.known(keys)
        missing: dict[int, list[str]] = {}
        for text, seed in dict.fromkeys(keys):
            if (text, seed) not in known:
                missing.setdefault(seed, []).append(text)
        waiting = 0
        for seed, texts in missing.items():
            for first in range(0, len(texts), self.pack):
                self._jobs += 1
                waiting += 1
                self.executor.submit(Job((self._jobs,), tuple(texts[first : first + self.pack]), 0, seed))
        for _ in range(waiting):
            if self.stopped():
                raise Stopped
            job, outcomes = self.executor.next()
            done = {(text, job.seed): outcome for text, outcome in zip(job.genomes, outcomes, strict=True)}
            self.memo.add(done)
            known |= done
        return [known[key] for key in keys]
