"""Picks an individual of a run with several objectives by a stated criterion."""

from collections.abc import Mapping, Sequence

import numpy as np

from germline.search import pareto
from germline.search.chance import beats_chance
from germline.search.value_parsers import amount

CRITERIA = "knee, error, params, macs, latency, or a limit such as under=3M"

Objectives = Mapping[str, float]
"""The objectives of an individual by name, all minimised: `validation_error`, `params`, `macs`, perhaps `latency`."""

_SMALLEST = {"error": "validation_error", "params": "params", "macs": "macs", "latency": "latency"}
"""The criteria that pick the smallest value of an objective."""


class BadCriterion(ValueError):
    """The criterion is unknown, or no individual meets it."""


def front(objectives: Sequence[Objectives], names: Sequence[str] = ("validation_error", "params")) -> list[int]:
    """Returns the indices of the individuals on the Pareto front, sorted by the objectives in the order of `names`.

    Args:
        objectives: of each individual.
        names: the objectives that are compared; all others are ignored.
    """
    points = _points(objectives, names)
    on_front = np.flatnonzero(pareto.fronts(points) == 0).tolist()
    return sorted(on_front, key=lambda i: tuple(points[i]))


def pick(objectives: Sequence[Objectives], criterion: str, chance_error: float | None = None) -> int:
    """Returns the index of the individual that a criterion picks. Only networks that beat chance are candidates.

    Args:
        objectives: of each individual.
        criterion: `knee` (nearest to the ideal point of the front of error and parameters); `error`, `params`, `macs`
            or `latency` (the smallest value; among equal values the smallest error, then the fewest parameters); or
            `under=3M` (the smallest error with at most that many parameters).
        chance_error: validation error in percent of always answering one class; None: not known.

    Raises:
        BadCriterion: the criterion is unknown, or no individual meets it.
    """
    candidates = [i for i, each in enumerate(objectives) if beats_chance(each, chance_error)]
    if not candidates:
        raise BadCriterion(
            f"nothing has fewer errors than always answering one class ({chance_error:.4g} %); search for longer"
        )
    return candidates[_pick([objectives[i] for i in candidates], criterion)]


def _pick(objectives: Sequence[Objectives], criterion: str) -> int:
    if criterion == "knee":
        on_front = front(objectives)
        points = _points([objectives[i] for i in on_front], ("validation_error", "params"))
        return on_front[pareto.knee(points)]
    if criterion in _SMALLEST:
        return _smallest(objectives, _SMALLEST[criterion])
    if criterion.startswith("under="):
        return _under(objectives, criterion)
    raise BadCriterion(f"expected a criterion ({CRITERIA}), got {criterion!r:.60}")


def _smallest(objectives: Sequence[Objectives], name: str) -> int:
    if any(name not in individual for individual in objectives):
        raise BadCriterion(f"expected a run that was searched for {name}; --set objectives=validation_error,{name}")
    names = (name, "validation_error", "params")
    return min(range(len(objectives)), key=lambda i: tuple(objectives[i][key] for key in names))


def _under(objectives: Sequence[Objectives], criterion: str) -> int:
    try:
        limit = amount(criterion.removeprefix("under="))
    except ValueError as expected:
        raise BadCriterion(f"expected {expected} after under=, got {criterion!r:.60}") from None
    inside = [i for i in range(len(objectives)) if limit is None or objectives[i]["params"] <= limit]
    if not inside:
        fewest = min(int(individual["params"]) for individual in objectives)
        raise BadCriterion(f"nothing has at most {limit:,} parameters; the smallest network has {fewest:,}")
    return min(inside, key=lambda i: (objectives[i]["validation_error"], objectives[i]["params"], i))


def _points(objectives: Sequence[Objectives], names: Sequence[str]) -> pareto.Points:
    rows = [[individual[name] for name in names] for individual in objectives]
    return np.array(rows, dtype=np.float64).reshape(-1, len(names))
