"""The course of a run of optimizers: the births and the best so far, the winner's line of ancestors with the operator
that made each step, and the reviews beside the search."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from germline.db.records import BirthScore, RunRecord
from germline.search.analysis.ancestor_line import LineStep, OperatorGain, line_of, operator_gains
from germline.search.analysis.learning_curve import learning_curve
from germline.search.analysis.line_plot import Score, longest_rung
from germline.search.analysis.review_curve import ReviewedProgram
from germline.search.winner import winners

if TYPE_CHECKING:
    from germline.db.store import Store

LOW_SHARE = 0.02
"""Share of the births that a plot leaves out in any case, the lowest, so that the best can be told apart."""


@dataclass(frozen=True, slots=True)
class SearchHistory:
    """The course of a run of optimizers.

    Attributes:
        run: the run.
        total: number of births.
        failed: number of births whose outcome is not ok, or that have none yet.
        births, fitness: of each birth that was scored with an ok outcome, in the order of birth; cache hits are left
            out.
        best: births that had the highest fitness so far, with it, in order.
        line: the winner's ancestors by first parents, from the oldest to the winner.
        operators: what each operator brought along the line, the largest gain first.
        reviewed: the reviewed programs in the order of their reviews.
    """

    run: RunRecord
    total: int
    failed: int
    births: Sequence[int]
    fitness: Sequence[float]
    best: Sequence[tuple[int, float]]
    line: Sequence[LineStep]
    operators: Sequence[OperatorGain]
    reviewed: Sequence[ReviewedProgram]


def search_history(store: "Store", run: RunRecord, birth: int) -> SearchHistory:
    """Returns the course of a run of optimizers.

    Args:
        store: the database of the run.
        run: the run.
        birth: the individual whose line of ancestors is wanted, such as the winner.
    """
    scores = store.scores(run.name, "")
    reviewed = learning_curve(scores, winners(store, run.name)).reviewed
    line = line_of(store.lineage(run.name, birth), birth)
    scored = [each for each in scores.births if each.fitness is not None and each.cached_from is None]
    return SearchHistory(
        run,
        len(scores.births),
        sum(each.fitness is None for each in scores.births),
        [each.birth for each in scored],
        [each.fitness or 0.0 for each in scored],
        best_so_far(scored),
        line,
        operator_gains(line),
        reviewed,
    )


def best_so_far(scored: Sequence[BirthScore]) -> list[tuple[int, float]]:
    """Returns the births that had the highest fitness so far, each with its fitness."""
    best: list[tuple[int, float]] = []
    for each in scored:
        if each.fitness is not None and (not best or each.fitness > best[-1][1]):
            best.append((each.birth, each.fitness))
    return best


def shown_range(history: SearchHistory) -> tuple[float, float]:
    """Returns the lowest and the highest fitness that a plot of the run shows.

    Many programs are useless, some of them endlessly. So the range has the line of ancestors and the best, and below
    them at most as much again, as far as births with a fitness reach but for a share of `LOW_SHARE`.
    """
    kept = [step.fitness for step in history.line if step.fitness is not None]
    kept += [fitness for _, fitness in (history.best if len(kept) < 2 else history.best[-1:])]
    if not kept:
        return 0.0, 0.0
    low, high = min(kept), max(kept)
    if not history.fitness:
        return low, high
    with np.errstate(over="ignore", invalid="ignore"):
        lowest = float(np.quantile(history.fitness, LOW_SHARE))
    return min(low, max(low - (high - low), lowest)), high


def review_gains(history: SearchHistory) -> Mapping[str, Sequence[tuple[int, float]]]:
    """Returns the gains of the reviewed programs over the start program, by the birth of each: `search`, `fresh seeds`
    and the longer rung; without any if the start program was not reviewed."""
    start = next((program for program in history.reviewed if program.birth == 0), None)
    if start is None:
        return {}
    scores: dict[str, Score] = {
        "search": lambda program: program.search,
        "fresh seeds": lambda program: program.fresh,
        f"rung {longest_rung(history.reviewed)}": lambda program: program.longer,
    }
    gains: dict[str, list[tuple[int, float]]] = {}
    for name, score in scores.items():
        origin = score(start)
        points = {program.birth: score(program) for program in history.reviewed}
        if origin is not None:
            gains[name] = [(birth, value - origin) for birth, value in sorted(points.items()) if value is not None]
    return {name: points for name, points in gains.items() if len(points) > 1}
