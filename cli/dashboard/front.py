"""Individuals as points: objectives, sizes and measures to choose the axes from."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from germline.cli.dashboard.fitness import Scores
from germline.db.records import RunRecord, ScoredIndividual
from germline.search import pareto
from germline.search.analysis.generation import behaviour_names_of
from germline.search.analysis.hypervolume import objectives_of
from germline.search.analysis.policy_scores import mean_behaviour

BEST, SPREAD = 500, 500
"""Points that are shown of a large run: the best, and others evenly spread over its births."""

MEASURES = 12
"""The most measures that are axes; an outcome can have hundreds."""

SAMPLE = 512


def shown_births(scores: Scores, on_front: Sequence[int]) -> list[int]:
    """The births that are points: those on the front, the best, and an even spread of the others."""
    births = scores.births
    if len(births) <= BEST + SPREAD:
        return [int(birth) for birth in births]
    best = births[np.argsort(-scores.fitness, kind="stable")[:BEST]]
    spread = births[np.linspace(0, len(births) - 1, SPREAD).astype(np.int64)]
    return sorted({*best.tolist(), *spread.tolist(), *on_front})


def front_births(births: Sequence[int], values: NDArray[np.float64]) -> list[int]:
    """The births that no other dominates.

    Args:
        births: N births.
        values: their objectives `[N, M]`, all to be minimised. Rows that are not finite are left out.
    """
    finite = np.flatnonzero(np.isfinite(values).all(1))
    left = values[finite]
    if len(left) > SAMPLE:
        # Sorting all fronts is quadratic; what a sample's front dominates cannot be on the front of all.
        sample = left[np.linspace(0, len(left) - 1, SAMPLE).astype(np.int64)]
        keep = np.ones(len(left), np.bool_)
        for point in np.unique(sample[pareto.fronts(sample) == 0], axis=0):
            keep &= ~((left >= point).all(1) & (left > point).any(1))
        finite, left = finite[keep], left[keep]
    return [births[i] for i in finite[pareto.fronts(left) == 0].tolist()]


def front_data(run: RunRecord, individuals: Sequence[ScoredIndividual], on_front: Sequence[int]) -> dict[str, Any]:
    """The points: `axes`, each with a `name`, a `direction` (`min`, `max` or None) and its `values`; `births`; `front`,
    those on the run's own front; `x` and `y`, the axes to begin with; `total` is left to the caller."""
    scored = [each for each in individuals if each.evaluation is not None and each.evaluation.fitness is not None]
    axes: dict[str, tuple[str | None, list[float | None]]] = {}
    always = {"fitness", "birth", *objectives_of(run)}  # others only if they tell individuals apart

    def add(name: str, direction: str | None, values: Sequence[float | None]) -> None:
        known = [value for value in values if value is not None]
        if name not in axes and known and (len(set(known)) > 1 or name in always):
            axes[name] = (direction, list(values))

    outcomes = [each.evaluation for each in scored if each.evaluation is not None]
    add("fitness", "max", [outcome.fitness for outcome in outcomes])
    for number, name in enumerate(dict.fromkeys(name for outcome in outcomes[:50] for name in outcome.objectives)):
        values = [outcome.objectives.get(name) for outcome in outcomes]
        rises = number == 0 and all(outcome.objectives.get(name) == outcome.fitness for outcome in outcomes[:50])
        add(name, "max" if rises else "min", values)
    for name, sizes in _sizes(run, scored).items():
        add(name, "min", sizes)
    names, behaviours = behaviour_names_of(run.task) if run.kind == "policy" else (), []
    for place in range(len(mean_behaviour(outcomes[0])) if outcomes else 0):
        name = names[place] if place < len(names) else f"behaviour {place}"
        behaviours.append(name)
        add(name, None, [outcome.measures.get(f"behaviour_{place}") for outcome in outcomes])
    measures = dict.fromkeys(name for outcome in outcomes[:50] for name in outcome.measures)
    for name in [name for name in measures if not name.startswith("behaviour_")][:MEASURES]:
        add(name, None, [outcome.measures.get(name) for outcome in outcomes])
    add("birth", None, [each.individual.birth for each in scored])
    x, y = _first_axes([*objectives_of(run)[1::-1], *behaviours], {name: values for name, (_, values) in axes.items()})
    return {
        "births": [each.individual.birth for each in scored],
        "axes": [{"name": name, "direction": axes[name][0], "values": axes[name][1]} for name in axes],
        "front": sorted(on_front),
        "x": x,
        "y": y,
    }


def _sizes(run: RunRecord, individuals: Sequence[ScoredIndividual]) -> dict[str, list[float | None]]:
    """Live statements and states of optimizer programs; empty for other kinds. None for a program that is not valid."""
    if run.kind != "optimizer":
        return {}
    from germline.search.strategies.program_front import sizes

    pairs: list[tuple[int | None, int | None]] = []
    for each in individuals:
        try:
            pairs.append(sizes(each.individual.genome))
        except ValueError:
            pairs.append((None, None))
    return {"live statements": [size for size, _ in pairs], "large states": [size for _, size in pairs]}


def _first_axes(wanted: Sequence[str], axes: Mapping[str, Sequence[float | None]]) -> tuple[str | None, str | None]:
    """The two axes to begin with: those that are wanted first, else size and fitness, else fitness over births. Two
    axes of the same numbers, such as a loss and the fitness that is its negative, would show a line."""
    chosen: list[str] = []
    for name in (*wanted, "live statements", "fitness", "birth", *axes):
        if name in axes and not any(_same_numbers(axes[name], axes[other]) for other in chosen):
            chosen.append(name)
    x, y = [*chosen, None, None][:2]
    return (y, x) if y == "birth" else (x, y)


def _same_numbers(values: Sequence[float | None], others: Sequence[float | None]) -> bool:
    """Whether the values of two axes are equal, or the negatives of each other; a single pair tells nothing."""
    pairs = [(a, b) for a, b in zip(values, others, strict=True) if a is not None and b is not None]
    return len(pairs) > 1 and (all(a == b for a, b in pairs) or all(a == -b for a, b in pairs))
