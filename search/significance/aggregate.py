"""Summaries over several tasks: the geometric mean of speed-ups, the probability of improvement, performance profiles.

Sources: Agarwal et al. 2021 (probability of improvement, stratified bootstrap), Dolan and Moré 2002 (profiles).
"""

from collections.abc import Sequence
from math import exp, inf, isfinite, log

import numpy as np

from germline.search.significance.bca import RESAMPLES


def geometric_mean(ratios: Sequence[float]) -> float:
    """Returns the geometric mean of at least one positive ratio."""
    return exp(sum(map(log, ratios)) / len(ratios))


def geometric_mean_interval(
    ratios: Sequence[Sequence[float]], level: float = 0.95, resamples: int = RESAMPLES
) -> tuple[float, float]:
    """Returns the bootstrap interval of the geometric mean over tasks of the geometric mean over seeds.

    Each resample draws tasks with replacement, and in each of them seeds with replacement; the interval is that of the
    percentiles. The same ratios give the same interval.

    Args:
        ratios: for each task the positive ratio of each seed; at least one task with at least one seed.
        level: of confidence.
        resamples: number of resamples.
    """
    rng = np.random.default_rng(len(ratios))
    logs = [np.log(np.asarray(task, np.float64)) for task in ratios]
    # One column a task and draw: the mean of a resample of that task's seeds.
    tasks = rng.integers(0, len(logs), (resamples, len(logs)))
    totals = np.zeros(resamples)
    for place in range(len(logs)):
        for task, values in enumerate(logs):
            rows = np.flatnonzero(tasks[:, place] == task)
            totals[rows] += values[rng.integers(0, len(values), (len(rows), len(values)))].mean(1)
    ends = np.quantile(totals / len(logs), [(1 - level) / 2, (1 + level) / 2])
    return float(np.exp(ends[0])), float(np.exp(ends[1]))


def probability_of_improvement(losses: Sequence[Sequence[float]], others: Sequence[Sequence[float]]) -> float:
    """Returns the mean over tasks of the chance that a loss of a task is below another's; equal losses count half.

    Args:
        losses, others: for each task the losses of both contenders; a loss may be infinite.
    """
    chances = []
    for ours, theirs in zip(losses, others, strict=True):
        pairs = [(a, b) for a in ours for b in theirs]
        chances.append(sum(1.0 if a < b else 0.5 if a == b else 0.0 for a, b in pairs) / len(pairs))
    return sum(chances) / len(chances)


def performance_profile(costs: Sequence[Sequence[float]], factors: Sequence[float]) -> list[list[float]]:
    """Returns for each contender the share of tasks that it solves within each factor of the cheapest contender.

    Args:
        costs: for each contender its cost on each task, such as steps to a target; infinity if it does not get there.
        factors: at least 1 each.
    """
    best = [min(task) for task in zip(*costs, strict=True)]
    ratios = [
        [cost / least if isfinite(cost) else inf for cost, least in zip(contender, best, strict=True)]
        for contender in costs
    ]
    return [[sum(ratio <= factor for ratio in row) / len(row) for factor in factors] for row in ratios]
