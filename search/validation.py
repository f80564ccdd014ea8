"""Validation of candidates: trainings with seeds that no search has used, measured on the held-out data."""

import json
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

from germline.evaluators.evaluator import EvaluatorSpec
from germline.evaluators.outcome import Outcome
from germline.evaluators.tasks.registry import task_class
from germline.search.analysis.statistics import deviation, mean
from germline.search.kind import Kind
from germline.search.settings import RunSettings, to_config

FIRST_SEED = 1_000
"""First evaluation seed of a validation, far above the seeds of searches (0) and reviews (from 1 on)."""


@dataclass(frozen=True)
class ValidatedGenome:
    """A genome, and the settings under which it is trained.

    `label` is its name in the output; for a baseline, `of` is the label of the contender that it is compared with.
    """

    label: str
    genome: str
    values: RunSettings
    baseline: bool = False
    of: str | None = None


@dataclass(frozen=True)
class ValidationResult:
    """A contender's outcomes on the held-out data, an outcome for each seed.

    `measure` names the objective that is reported, `facts` describe the genome.
    """

    contender: ValidatedGenome
    measure: str
    outcomes: tuple[Outcome, ...]
    facts: Mapping[str, Any]

    @property
    def values(self) -> list[float | None]:
        """The measure for each seed; None where the genome failed."""
        return [outcome.objectives.get(self.measure) for outcome in self.outcomes]

    @property
    def mean(self) -> float | None:
        """Mean over all seeds; None if the genome failed with any seed."""
        values = [value for value in self.values if value is not None]
        return mean(values) if len(values) == len(self.outcomes) else None

    @property
    def deviation(self) -> float | None:
        """Standard deviation over the seeds; None for a single seed, or if the genome failed with any seed."""
        values = [value for value in self.values if value is not None]
        return deviation(values) if len(values) == len(self.outcomes) > 1 else None

    @property
    def error(self) -> str | None:
        """The error with the first seed, if the genome failed with all seeds; else None."""
        if any(value is not None for value in self.values):
            return None
        return self.outcomes[0].error or self.outcomes[0].status


def with_baselines(kind: Kind[Any, Any], task: str, contenders: Sequence[ValidatedGenome]) -> list[ValidatedGenome]:
    """Returns the contenders with the settings of a full training on a task, followed by their baselines.

    Contenders with the same baseline share it, and a baseline that is also a contender is left out.
    """
    full = [replace(contender, values=kind.in_full(contender.values, task_class(task))) for contender in contenders]
    known = {_key(contender) for contender in full}
    baselines: dict[str, ValidatedGenome] = {}
    for contender in full:
        label, genome, values = kind.baseline(contender.genome, contender.values)
        baseline = ValidatedGenome(label, genome, values, baseline=True, of=contender.label)
        if _key(baseline) not in known:
            baselines.setdefault(_key(baseline), baseline)
    return [*full, *baselines.values()]


def validate(
    kind: Kind[Any, Any], task: str, contenders: Sequence[ValidatedGenome], rung: int, seeds: int, device: str = "cpu"
) -> list[ValidationResult]:
    """Validates the contenders in this process; contenders with equal settings share a batch.

    Args:
        kind: the kind of all genomes.
        task: name of the task.
        contenders: as `with_baselines` returns them.
        rung: amount of training or playing, an index into the task's rungs.
        seeds: number of seeds, which is the number of trainings per contender.
        device: `auto`, `cpu` or `cuda`.

    Raises:
        NoHeldout: the task has no held-out data.
    """
    groups: dict[str, list[int]] = {}
    for place, contender in enumerate(contenders):
        groups.setdefault(json.dumps(kind.evaluator_options(contender.values), sort_keys=True), []).append(place)
    outcomes: list[list[Outcome]] = [[] for _ in contenders]
    for places in groups.values():
        options = kind.evaluator_options(contenders[places[0]].values)
        evaluator = EvaluatorSpec(kind.name, task, 0, device, options).build()
        genomes = [contenders[place].genome for place in places]
        with closing(evaluator):
            for seed in range(FIRST_SEED, FIRST_SEED + seeds):
                for place, outcome in zip(places, evaluator.validate(genomes, rung, seed), strict=True):
                    outcomes[place].append(outcome)
    measure = task_class(task).objectives[0].heldout_name
    return [
        ValidationResult(contender, measure, tuple(outcomes[place]), kind.describe(contender.genome, contender.values))
        for place, contender in enumerate(contenders)
    ]


def _key(contender: ValidatedGenome) -> str:
    return json.dumps([contender.genome, to_config(contender.values)], sort_keys=True)
