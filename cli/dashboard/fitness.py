"""Fitness over births: the best so far, the middle half of what was born, and reviews, so that overfitting shows."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from germline.db.records import BirthScore, ReviewScore
from germline.search.analysis.review_curve import ReviewedProgram, review_curve

BINS = 300
"""The most parts of a run that a curve tells apart: more than a screen has columns would not be seen."""

IN_A_BIN, IN_A_SMALL_BIN, FEW_BINS = 25, 5, 10
"""The fewest births of a bin, as quartiles of a handful are noise; and those of a run that has not enough for
`FEW_BINS` such bins."""

GAIN = "gain over the start"
FITNESS = "fitness"


@dataclass(frozen=True)
class Scores:
    """The ok outcomes of a run: `births` `[N]` ascending, their `fitness` `[N]`, and `ids` `[N]` of the evaluations."""

    births: NDArray[np.int64]
    fitness: NDArray[np.float64]
    ids: NDArray[np.int64]


@dataclass(frozen=True)
class Quartiles:
    """Of consecutive values in bins: the position of each bin's end, and its quartiles."""

    ends: NDArray[np.int64]
    low: NDArray[np.float64]
    median: NDArray[np.float64]
    high: NDArray[np.float64]


def extended(known: Scores | None, rows: Sequence[tuple[int, int, float]]) -> Scores:
    """The known scores, None for none, with those of more rows of `Store.score_columns`."""
    new = np.array(rows, np.float64).reshape(-1, 3)  # a float holds ids and births exactly up to 2^53
    births, fitness, ids = new[:, 1].astype(np.int64), new[:, 2], new[:, 0].astype(np.int64)
    if known is not None:
        births, fitness = np.concatenate([known.births, births]), np.concatenate([known.fitness, fitness])
        ids = np.concatenate([known.ids, ids])
    order = np.argsort(births, kind="stable")
    return Scores(births[order], fitness[order], ids[order])


def quartiles(values: NDArray[np.float64], bins: int = BINS) -> Quartiles:
    """The quartiles of consecutive values `[N]` in at most `bins` bins of equal size."""
    edges = bin_edges(len(values), bins)
    bin_of = np.repeat(np.arange(len(edges) - 1), np.diff(edges))
    ordered = values[np.lexsort((values, bin_of))]
    sizes, first = np.diff(edges), edges[:-1]
    low, middle, high = (ordered[first + ((sizes - 1) * share).astype(np.int64)] for share in (0.25, 0.5, 0.75))
    return Quartiles(edges[1:] - 1, low, middle, high)


def bin_edges(count: int, bins: int) -> NDArray[np.int64]:
    """The edges of at most `bins` bins of about equal size for `count` consecutive values, each with `IN_A_BIN` of them
    or, if there are few, with `IN_A_SMALL_BIN` or more; a single bin for fewer."""
    fitting = max(count // IN_A_BIN, min(FEW_BINS, count // IN_A_SMALL_BIN), 1)
    return np.unique(np.linspace(0, count, min(bins, fitting) + 1).astype(np.int64))


def fitness_data(kind: str, scores: Scores, reviews: Sequence[ReviewScore]) -> dict[str, Any]:
    """The data of the chart.

    Optimizer programs are drawn as gains over the start program, each kind of score over its own, if that was reviewed:
    only then can a longer training stand on the axis of the search.

    Returns:
        `unit`; `best`, points `[birth, value]` where the best so far rose; `x`, the first birth and the last of each
        bin, and `low`, `median` and `high` of that bin at each; `reviews`, series with a `name` and `points`
        `[x, value, birth]`.
    """
    if not len(scores.births):
        return {
            "unit": FITNESS,
            "x": [],
            "best": [],
            "low": [],
            "median": [],
            "high": [],
            "reviews": [],
        }
    parts = quartiles(scores.fitness)
    best = _rises(scores)
    programs = _programs(scores, reviews) if kind == "optimizer" else []
    start = next((program for program in programs if program.birth == 0 and program.search is not None), None)
    zero = start.search if start and start.search is not None else 0.0
    series = _program_series(programs, start, scores, reviews) if programs else _review_series(kind, scores, reviews)
    with np.errstate(over="ignore"):  # a difference of huge values is infinite, and not drawn
        low, median, high = parts.low - zero, parts.median - zero, parts.high - zero
    return {
        "unit": GAIN if start else FITNESS,
        "x": [int(scores.births[0]), *scores.births[parts.ends].tolist()],
        "best": [[birth, value - zero] for birth, value in best],
        "low": _from_the_start(low),
        "median": _from_the_start(median),
        "high": _from_the_start(high),
        "reviews": series,
    }


def _from_the_start(values: NDArray[np.float64]) -> list[float]:
    """The values of bins, that of the first twice: at its first birth and at its last."""
    repeated: list[float] = [*values[:1].tolist(), *values.tolist()]
    return repeated


def _rises(scores: Scores) -> list[list[float]]:
    """Births at which the best fitness rose, and that fitness: the first, and the last birth with them. Of very many,
    the first and the last in each of `BINS` parts of the run."""
    best = np.maximum.accumulate(scores.fitness)
    places = np.flatnonzero(np.diff(best, prepend=-np.inf) > 0)
    if len(places) > 2 * BINS:
        part = scores.births[places] * BINS // (int(scores.births[-1]) + 1)
        ends = (np.diff(part, prepend=-1) != 0) | (np.diff(part, append=BINS) != 0)
        places = places[np.flatnonzero(ends)]
    chosen = sorted({*places.tolist(), len(best) - 1})
    return [[int(scores.births[place]), float(best[place])] for place in chosen]


def _programs(scores: Scores, reviews: Sequence[ReviewScore]) -> list[ReviewedProgram]:
    """The reviewed programs in the order of their reviews; `block` means nothing."""
    reviewed = dict.fromkeys(review.birth for review in reviews)
    places: list[int] = np.searchsorted(scores.births, list(reviewed)).tolist() if reviewed else []
    births = [
        BirthScore(birth, 0, None, None, float(scores.fitness[place]), None)
        for birth, place in zip(reviewed, places, strict=True)
        if place < len(scores.births) and scores.births[place] == birth
    ]
    return review_curve([births], [reviews]) if births else []


def _program_series(
    programs: Sequence[ReviewedProgram], start: ReviewedProgram | None, scores: Scores, reviews: Sequence[ReviewScore]
) -> list[dict[str, Any]]:
    at = {review.birth: x for review, x in zip(reversed(reviews), reversed(_positions(scores, reviews)), strict=True)}
    rungs = [program.rung for program in programs if program.rung is not None]
    names = {"fresh": "fresh seeds", "longer": f"longer training (rung {max(rungs)})" if rungs else "longer training"}
    series = []
    for key, name in names.items():
        zero = getattr(start, key) if start else 0.0
        values = [(program, getattr(program, key)) for program in programs]
        points = [
            [at[program.birth], value - zero, program.birth]
            for program, value in values
            if value is not None and zero is not None
        ]
        if points:
            series.append({"name": name, "points": sorted(points)})
    return series


def _review_series(kind: str, scores: Scores, reviews: Sequence[ReviewScore]) -> list[dict[str, Any]]:
    """Reviews of other kinds: of those at about the same time, the best."""
    best: dict[tuple[int, int], list[Any]] = {}
    width = max(1, int(scores.births[-1]) // BINS)
    for review, x in zip(reviews, _positions(scores, reviews), strict=True):
        key = (review.rung, x // width)
        if review.fitness is not None and (key not in best or best[key][1] < review.fitness):
            best[key] = [x, review.fitness, review.birth]
    names = {0: "fresh seeds", 1: "reviews", 2: "tests"} if kind == "policy" else {0: "fresh seeds"}
    rungs = sorted({rung for rung, _ in best})
    return [
        {
            "name": names.get(rung, f"longer trainings (rung {rung})"),
            "points": sorted(point for key, point in best.items() if key[0] == rung),
        }
        for rung in rungs
    ]


def _positions(scores: Scores, reviews: Sequence[ReviewScore]) -> list[int]:
    """The latest scored birth when each review was recorded."""
    order = np.argsort(scores.ids, kind="stable")
    latest = np.maximum.accumulate(scores.births[order])
    before = np.searchsorted(scores.ids[order], [review.evaluation_id for review in reviews])
    return [int(latest[max(0, place - 1)]) for place in before.tolist()]
