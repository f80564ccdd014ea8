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
    """Scores a share of the packs of a run again, in this process.

    Args:
        spec: builds the run's evaluator.
        share: of the packs, above 0 and at most 1; they are spread evenly over the run, beginning with the first.
        always: births whose packs are scored again in any case.

    Attributes:
        outcomes: number of outcomes that were scored again.

    Raises:
        NoDevice, NoWorker: see `InlineExecutor`.
    """

    def __init__(self, spec: EvaluatorSpec, share: float, always: Iterable[int] = ()) -> None:
        self.executor = InlineExecutor(spec)
        self.share = share
        self.always = frozenset(always)
        self.packs = 0
        self.outcomes = 0

    def difference(self, job: Job, recorded: Sequence[Outcome]) -> str | None:
        """The first number of a pack that differs when it is scored again, in one line; None if all are the same bits,
        or the pack is not of the share.

        Args:
            job: the pack.
            recorded: the recorded outcomes of its genomes, in their order.
        """
        self.packs += 1
        in_share = math.ceil(self.packs * self.share) > math.ceil((self.packs - 1) * self.share)
        if not in_share and self.always.isdisjoint(job.births):
            return None
        places = [place for place, outcome in enumerate(recorded) if outcome.status in OF_THE_GENOME]
        if not places:
            return None
        genomes = tuple(job.genomes[place] for place in places)
        births = tuple(job.births[place] for place in places)
        self.executor.submit(replace(job, genomes=genomes, births=births))
        _, outcomes = self.executor.next()
        for place, outcome in zip(places, outcomes, strict=True):
            self.outcomes += 1
            if what := _first_difference(outcome, recorded[place]):
                return f"birth {job.births[place]} at rung {job.rung} with seed {job.seed}: scored again, {what}"
        return None

    def close(self) -> None:
        """Ends the evaluator."""
        self.executor.close()


def _first_difference(outcome: Outcome, recorded: Outcome) -> str | None:
    """Names the first value that differs in two outcomes; seconds, worker and error are not compared."""
    pairs = {"status": (outcome.status, recorded.status), "fitness": (outcome.fitness, recorded.fitness)}
    for one, other in ((outcome.objectives, recorded.objectives), (outcome.measures, recorded.measures)):
        pairs |= {name: (one.get(name), other.get(name)) for name in {**one, **other}}
    for name, (now, then) in pairs.items():
        if now != then and not (_is_nan(now) and _is_nan(then)):
            return f"{name} is {now}, recorded is {then}"
    return None


def _is_nan(value: object) -> bool:
    return isinstance(value, float) and math.isnan(value)
