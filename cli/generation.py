"""A generation of policies as a cloud of points."""

import logging
from collections.abc import Sequence
from math import isfinite
from statistics import pstdev
from typing import TYPE_CHECKING, NamedTuple

from germline.cli.database import open_store
from germline.cli.errors import BadReference, single_line
from germline.cli.formatting import counted
from germline.cli.policy_scores import mean_behaviour

if TYPE_CHECKING:
    from germline.db.records import EvaluationRecord, RunRecord, ScoredIndividual
    from germline.programs.policy.drawing import PolicyMarker, Wall

log = logging.getLogger(__name__)


class Generation(NamedTuple):
    """A block of a run, who of it or before it had children in the next one, and who won it."""

    number: int
    births: "list[ScoredIndividual]"
    parents: "list[ScoredIndividual]"
    elite: "ScoredIndividual | None"
    last: bool


class Cloud(NamedTuple):
    """What is drawn: points with names for their axes, and notes."""

    points: "list[PolicyMarker]"
    x: str
    y: str
    notes: list[str]


def generation(run: "RunRecord", number: int | None, url: str) -> Generation:
    """A generation of a run of policies; None: the last one that is complete.

    Raises:
        BadReference: there is none, or nothing of it went well.
    """
    from germline.search.winner import winners

    with open_store(url) as store:
        births = store.block(run.name, number)
        if not births:
            last = store.block(run.name)
            has = f"generations 0 to {last[0].individual.block} are complete" if last else "none is complete yet"
            raise BadReference(f"expected a generation of {run.name}, got {number}; {has}")
        number = births[0].individual.block
        if not any(one.evaluation and one.evaluation.fitness is not None for one in births):
            raise BadReference(f"nothing in generation {number} of {run.name} was scored well; choose another one")
        # Generations in flight beyond the one that is scored are bred before its outcomes are known.
        children = store.block(run.name, number + 1 + run.config.get("settings", {}).get("depth", 0))
        chosen = {parent for one in children for parent in one.individual.parents}
        known = {one.individual.birth: one for one in births}
        parents = [known.get(birth) or store.individual(run.name, birth) for birth in sorted(chosen)]
        winner = winners(store, run.name).get(number)
        best = None if winner is None else store.individual(run.name, winner)
    return Generation(number, births, parents, best, last=not children)


def cloud(found: Generation) -> Cloud:
    """Where the policies of a generation, their older parents and the elite ended."""
    from germline.programs.policy.drawing import PolicyMarker

    everyone = {one.individual.birth: one for one in [*found.births, *found.parents]}
    if found.elite:
        everyone.setdefault(found.elite.individual.birth, found.elite)
    parents = {one.individual.birth for one in found.parents}
    elite = found.elite.individual.birth if found.elite else None
    scored = {
        birth: one.evaluation
        for birth, one in everyone.items()
        if one.evaluation is not None and one.evaluation.fitness is not None
    }
    places, x, y, note = axes(list(scored.values()))
    points = [
        PolicyMarker(*place, fitness=one.fitness or 0.0, parent=birth in parents, elite=birth == elite)
        for (birth, one), place in zip(scored.items(), places, strict=True)
    ]
    return Cloud(points, x, y, [one for one in (note, *_notes(found, len(scored))) if one])


def axes(outcomes: "Sequence[EvaluationRecord]") -> tuple[list[tuple[float, float]], str, str, str]:
    """What is drawn of outcomes: places, what the axes are, and a note.

    The two numbers of what episodes did that differ most; if it is one, the return goes upwards; if none, it goes
    upwards over the length.
    """
    found = [mean_behaviour(one) for one in outcomes]
    dimensions = min(map(len, found), default=0)
    returns = [one.fitness or 0.0 for one in outcomes]
    if dimensions == 0:
        lengths = [one.measures.get("steps", 0.0) / (one.measures.get("episodes") or 1.0) for one in outcomes]
        return list(zip(lengths, returns, strict=True)), "decisions in an episode", "return", ""
    if dimensions == 1:
        return [(one[0], gained) for one, gained in zip(found, returns, strict=True)], "behaviour 0", "return", ""
    spread = [pstdev([one[i] for one in found if isfinite(one[i])] or [0.0]) for i in range(dimensions)]
    a, b = sorted(sorted(range(dimensions), key=lambda i: -spread[i])[:2])
    note = f"of {dimensions} numbers of behaviour the two that differ most" if dimensions > 2 else ""
    return [(one[a], one[b]) for one in found], f"behaviour {a}", f"behaviour {b}", note


def walls(task: str) -> "list[Wall]":
    """Lines that stand in the environment of a task, if it says so: `walls`, `[n, 2, 2]`, from point to point.

    Only of a task of ours: what a database names may be anybody's code, and to look at a run must not execute it.
    """
    from contextlib import closing

    import numpy as np

    from germline.evaluators.policy.task import PolicyTask
    from germline.evaluators.tasks.registry import BUILT_IN, task_class

    if task not in BUILT_IN:
        return []
    try:
        chosen = task_class(task)
        if not issubclass(chosen, PolicyTask):
            return []
        with closing(chosen().environments(1)) as environments:
            lines = np.asarray(getattr(environments, "walls", ()), np.float64).reshape(-1, 4)
    except Exception as error:  # what is drawn is in the database; only the backdrop is missing
        log.warning("%s: drawn without its walls (%s)", task, single_line(error))
        return []
    return [(float(a), float(b), float(c), float(d)) for a, b, c, d in lines]


def _notes(found: Generation, shown: int) -> list[str]:
    births = [one for one in found.births if one.evaluation]
    failed = sum(one.evaluation is not None and one.evaluation.fitness is None for one in births)
    older = shown + failed - len(births)
    notes = []
    if older > 0:
        notes.append(f"{counted(older, 'point')} of earlier generations: parents, and the elite")
    if failed:
        notes.append(f"{failed} of the generation failed")
    if found.last:
        notes.append("the last generation: it has no children")
    return notes
