"""Summaries of a comparison over all its tasks and lengths."""

from dataclasses import dataclass

from germline.search.significance.aggregate import (
    geometric_mean,
    geometric_mean_interval,
    performance_profile,
    probability_of_improvement,
)
from germline.search.tuned_comparison.results import Pair, TunedComparison

FACTORS = (1.0, 1.25, 1.5, 2.0)
"""Multiples of the fewest steps to the target at which performance profiles are given."""


@dataclass(frozen=True)
class Overall:
    """A contender over all tasks and lengths; where no point of it could be trained, it failed with each seed.

    Attributes:
        speed_up: geometric mean over cells of its speed-up over the cell's reference; None if no cell has a target.
        low, high: 95 % bootstrap interval of it, over tasks and seeds; None if no cell has a target.
        profile: for each of `FACTORS` the share of tasks on which its median steps to the target are at most so many
            times the fewest of any contender; empty if no cell has a target.
    """

    speed_up: float | None
    low: float | None
    high: float | None
    profile: tuple[float, ...]


def overall(comparison: TunedComparison) -> tuple[Overall, ...]:
    """Returns the summary of each contender."""
    aimed = [cell for cell in comparison.cells if cell.target is not None]
    places = range(len(comparison.contenders))
    costs = [[_cost(cell.steps_to_target(place)) for cell in aimed] for place in places]
    profiles = performance_profile(costs, FACTORS) if aimed else [[] for _ in places]
    result = []
    for place, profile in zip(places, profiles, strict=True):
        ratios = [ratios for cell in aimed if (ratios := cell.speed_ups(place))]
        if not ratios:
            result.append(Overall(None, None, None, tuple(profile)))
            continue
        mean = geometric_mean([geometric_mean(each) for each in ratios])
        result.append(Overall(mean, *geometric_mean_interval(ratios), tuple(profile)))
    return tuple(result)


def improvement(comparison: TunedComparison, pair: Pair) -> float:
    """Returns the probability that a final loss of the judged contender is below one of the other, mean over tasks."""
    both = [cell.paired_losses(pair.place, pair.other) for cell in comparison.cells]
    trained = [losses for losses in both if all(losses)]
    return probability_of_improvement([a for a, _ in trained], [b for _, b in trained])


def _cost(steps: float | None) -> float:
    return float("inf") if steps is None else steps
