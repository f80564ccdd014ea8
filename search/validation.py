"""Is a find real? Training anew with seeds that no search has seen, and a look at the held-out data."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean, stdev
from typing import Any

from germline.evaluators.evaluator import EvaluatorSpec
from germline.evaluators.tasks.registry import task_class
from germline.search.kind import Kind
from germline.search.settings import RunSettings, to_config

FIRST_SEED = 1_000
"""Searches use evaluation seeds from 0 on, reviews the next ones; these are beyond both."""


@dataclass(frozen=True)
class Contender:
    """A genome, and the settings under which it is trained. `label` says what it is, and `of` whose baseline."""

    label: str
    genome: str
    values: RunSettings
    baseline: bool = False
    of: str | None = None


@dataclass(frozen=True)
class Verdict:
    """What a contender came to on the held-out data, once for each seed; None: its training failed.

    `measure` names the number, `facts` describe the genome.
    """

    contender: Contender
    measure: str
    found: tuple[float | None, ...]
    facts: Mapping[str, Any]

    @property
    def mean(self) -> float | None:
        """Over all seeds; None if one failed."""
        whole = [value for value in self.found if value is not None]
        return fmean(whole) if len(whole) == len(self.found) else None

    @property
    def deviation(self) -> float | None:
        """Between seeds; None for one seed, or if one failed."""
        whole = [value for value in self.found if value is not None]
        return stdev(whole) if len(whole) == len(self.found) > 1 else None


def with_baselines(kind: Kind[Any, Any], task: str, contenders: Sequence[Contender]) -> list[Contender]:
    """Each contender as it is trained in full on a task, and behind those of one baseline that baseline, once."""
    full = [replace(one, values=kind.in_full(one.values, task_class(task))) for one in contenders]
    found: list[Contender] = []
    for one in full:
        label, genome, values = kind.baseline(one.genome, one.values)
        found.append(Contender(label, genome, values, baseline=True, of=one.label))
    unique: dict[str, Contender] = {}
    for one in found:
        unique.setdefault(_key(one), one)
    return [*full, *(one for one in unique.values() if _key(one) not in set(map(_key, full)))]


def validate(
    kind: Kind[Any, Any], task: str, contenders: Sequence[Contender], rung: int, seeds: int, device: str = "cpu"
) -> list[Verdict]:
    """Trains the contenders in this process, those of equal settings together.

    Args:
        kind: of all genomes.
        task: the name of what they are trained on.
        contenders: as `with_baselines` gives them.
        rung: how long, an index into the task's rungs.
        seeds: how many trainings each gets.
        device: `auto`, `cpu` or `cuda`.

    Raises:
        NoHeldout: the task keeps nothing back.
    """
    together: dict[str, list[int]] = {}
    for place, one in enumerate(contenders):
        together.setdefault(json.dumps(kind.evaluator_options(one.values), sort_keys=True), []).append(place)
    found: dict[int, list[float | None]] = {place: [] for place in range(len(contenders))}
    for places in together.values():
        options = kind.evaluator_options(contenders[places[0]].values)
        evaluator = EvaluatorSpec(kind.name, task, 0, device, options).build()
        for seed in range(FIRST_SEED, FIRST_SEED + seeds):
            values = evaluator.validate([contenders[place].genome for place in places], rung, seed)
            for place, value in zip(places, values, strict=True):
                found[place].append(value)
    measure = task_class(task).objectives[0].name.replace("validation", "heldout")
    facts = [kind.describe(one.genome, one.values) for one in contenders]
    return [Verdict(one, measure, tuple(found[i]), facts[i]) for i, one in enumerate(contenders)]


def _key(one: Contender) -> str:
    return json.dumps([one.genome, to_config(one.values)], sort_keys=True)
