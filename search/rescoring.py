"""Outcomes of a run scored again, and compared with what is recorded."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace

from germline.evaluators.evaluator import EvaluatorSpec
from germline.evaluators.executors.executor import Job
from germline.evaluators.executors.inline_executor import InlineExecutor
from germline.evaluators.outcome import Outcome

OF_THE_GENOME = ("ok", "diverged", "rejected")
"""Statuses that depend on the genome alone. Time limits, memory and crashes depend on the machine too; to score such a
genome again could end this process."""


class Rescoring:
    """Scores a share of the outcomes of a run again, pack by pack, in this process.

    Left out are outcomes whose status is not in `OF_THE_GENOME`, since they depend on the machine, and outcomes without
    a worker, which the caller of an ask-and-tell search reported: only that caller can score.

    Args:
        spec: builds the run's evaluator.
        share: of the outcomes, above 0 and at most 1. Their packs are spread evenly over the run, beginning with the
            first, and scored as a whole, so that up to a pack more are scored.
        always: births whose packs are scored again in any case.

    Attributes:
        outcomes: number of outcomes that were scored again and had the recorded numbers.

    Raises:
        NoDevice, NoWorker: see `InlineExecutor`.
    """

    def __init__(self, spec: EvaluatorSpec, share: float, always: Iterable[int] = ()) -> None:
        self.executor = InlineExecutor(spec)
        self.share = share
        self.always = frozenset(always)
        self.seen = 0
        """Number of outcomes that could have been scored again so far."""
        self.outcomes = 0

    def difference(self, job: Job, recorded: Sequence[Outcome]) -> str | None:
        """The first number of a pack that differs when it is scored again, in one line; None if all are the same bits,
        or the pack is not of the share.

        Args:
            job: the pack.
            recorded: the recorded outcomes of its genomes, in their order.
        """
        places = [place for place, outcome in enumerate(recorded) if outcome.status in OF_THE_GENOME and outcome.worker]
        self.seen += len(places)
        in_share = self.outcomes < self.share * self.seen
        if not places or (not in_share and self.always.isdisjoint(job.births)):
            return None
        genomes = tuple(job.genomes[place] for place in places)
        births = tuple(job.births[place] for place in places)
        self.executor.submit(replace(job, genomes=genomes, births=births))
        _, outcomes = self.executor.next()
        for place, outcome in zip(places, outcomes, strict=True):
            if what := first_difference(outcome, recorded[place]):
                return (
                    f"birth {job.births[place]} at rung {job.rung} with seed {job.seed}: scored again, {what} "
                    "(last bits may differ on another CPU, device or version of a package)"
                )
            self.outcomes += 1
        return None

    def close(self) -> None:
        """Ends the evaluator."""
        self.executor.close()


def first_difference(outcome: Outcome, recorded: Outcome) -> str | None:
    """Names the first value that differs in two outcomes; seconds, worker and error are not compared."""
    pairs: list[tuple[str, object, object]] = [
        ("status", outcome.status, recorded.status),
        ("fitness", outcome.fitness, recorded.fitness),
    ]
    for now, then in ((outcome.objectives, recorded.objectives), (outcome.measures, recorded.measures)):
        pairs += [(name, now.get(name), then.get(name)) for name in {**now, **then}]
    return next((f"{name} is {now}, recorded is {then}" for name, now, then in pairs if not _same(now, then)), None)


def _same(now: object, then: object) -> bool:
    """Whether two values are equal, zeros with their sign; NaN equals NaN."""
    if isinstance(now, float) and isinstance(then, float):
        return (now == then and math.copysign(1.0, now) == math.copysign(1.0, then)) or (now != now and then != then)
    return now == then
