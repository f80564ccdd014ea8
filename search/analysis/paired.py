"""Two groups of runs compared seed by seed, so that what a seed decides for both does not count."""

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import fmean, median

from germline.search.analysis.comparison import Group
from germline.search.kinds import KINDS
from germline.search.significance.sign_flip import MOST_PAIRS, sign_flip_p


@dataclass(frozen=True)
class Paired:
    """The scores of a group minus those of another, over the seeds that both have.

    Attributes:
        seeds: how many seeds both have.
        higher: in how many of them the first group's score is higher.
        difference: the mean of the differences.
        p: by the exact two-sided sign-flip test; at least 2 / 2^seeds.
    """

    seeds: int
    higher: int
    difference: float
    p: float


def paired(first: Group, second: Group) -> Paired | None:
    """The comparison of two groups of the same kind and task.

    None if they are of others, if their scores are of other sources or settings (`differently_scored`), or if they have
    fewer than two or more than `MOST_PAIRS` seeds in common.
    """
    a, b = first.results[0].run, second.results[0].run
    sources = {result.source for group in (first, second) for result in group.results if result.value is not None}
    if (a.kind, a.task) != (b.kind, b.task) or len(sources) != 1 or differently_scored(first, second):
        return None
    ours, theirs = _by_seed(first), _by_seed(second)
    differences = [ours[seed] - theirs[seed] for seed in ours if seed in theirs]
    if not 2 <= len(differences) <= MOST_PAIRS:
        return None
    higher = sum(difference > 0 for difference in differences)
    return Paired(len(differences), higher, fmean(differences), sign_flip_p(differences))


def differently_scored(first: Group, second: Group) -> tuple[str, ...]:
    """The settings in which two groups differ that decide what is scored (`Kind.score_settings`)."""
    a, b = first.results[0], second.results[0]
    names = KINDS[a.run.kind].score_settings if a.run.kind == b.run.kind and a.run.kind in KINDS else ()
    return tuple(name for name in names if a.settings[name] != b.settings[name])


def _by_seed(group: Group) -> Mapping[int, float]:
    """The median score of each seed."""
    scores: dict[int, list[float]] = {}
    for result in group.results:
        if result.value is not None:
            scores.setdefault(result.run.seed, []).append(result.value)
    return {seed: median(values) for seed, values in scores.items()}
