"""The verdict on a contender beside another, from paired differences on several tasks at several lengths.

| verdict | if |
|---|---|
| better | p < 0.01 after Holm on three quarters of the tasks, and on none worse by more than a standard deviation |
| undecided | more seeds could make it better: enough other tasks have a gain, and on none it is worse by as much |
| not better | otherwise |

A task at each of its lengths counts as a task of its own. If seeds are added until a verdict is decided, each look has
its share of the 0.01.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, isfinite
from statistics import fmean, stdev
from typing import Literal

from germline.search.significance.bca import bca_interval
from germline.search.significance.holm import holm
from germline.search.significance.power import pairs_needed
from germline.search.significance.sign_flip import sign_flip_p

Word = Literal["better", "not better", "undecided"]

LEVEL = 0.01
"""A p-value below this, after correction, is a difference."""
SHARE = 0.75
"""Share of the tasks on which a better contender is better."""
FAILED_RANGES = 10.0
"""A loss that is not finite counts as the largest finite loss plus this many times the range of the finite losses."""


@dataclass(frozen=True)
class PairedCell:
    """The final losses of two contenders on one task at one length, paired by seed.

    Attributes:
        task, length: the task, and the length of training as a multiple of the rung's steps.
        losses: final losses of the contender that is judged, one for each seed; infinite where a training failed.
        others: final losses of the baseline, one for each seed, in the order of `losses`.
    """

    task: str
    length: float
    losses: tuple[float, ...]
    others: tuple[float, ...]


@dataclass(frozen=True)
class CellVerdict:
    """How a contender compares in one cell.

    Attributes:
        task, length: see `PairedCell`.
        gain: mean of the paired differences, above 0 if the contender's loss is lower.
        low, high: the 95 % BCa interval of the gain.
        p: of the exact two-sided sign-flip test.
        holm: the same, corrected for all cells.
        better: True if there is a gain, significant after correction.
        worse: True if it is worse by more than the standard deviation of the baseline between seeds.
    """

    task: str
    length: float
    gain: float
    low: float
    high: float
    p: float
    holm: float
    better: bool
    worse: bool


@dataclass(frozen=True)
class Verdict:
    """The verdict on a contender beside another.

    `more` is about how many more seeds would decide; None if it is decided.
    """

    word: Word
    cells: tuple[CellVerdict, ...]
    more: int | None = None

    def __str__(self) -> str:
        if self.more is None:
            return self.word
        return f"undecided: needs about {self.more:,} more seed{'' if self.more == 1 else 's'}"


def judge(cells: Sequence[PairedCell], looks: int = 1) -> Verdict:
    """Returns the verdict from at least one cell; all have as many seeds.

    Args:
        cells: the cells.
        looks: how often the verdict is asked for at most while seeds are added; each gets its share of `LEVEL`, because
            the chance that one of several looks finds a difference by luck is the sum of theirs.
    """
    level = LEVEL / looks
    gains = [_gains(cell) for cell in cells]
    raw = [sign_flip_p(each) for each in gains]
    judged = []
    for cell, each, p, corrected in zip(cells, gains, raw, holm(raw), strict=True):
        mean = fmean(each)
        better = mean > 0 and corrected < level
        judged.append(
            CellVerdict(
                cell.task, cell.length, mean, *bca_interval(each), p, corrected, better, mean < -_deviation(cell.others)
            )
        )
    needed = ceil(SHARE * len(cells))
    won = sum(cell.better for cell in judged)
    vetoed = any(cell.worse for cell in judged)
    if won >= needed and not vetoed:
        return Verdict("better", tuple(judged))
    open_cells = [each for cell, each in zip(judged, gains, strict=True) if cell.gain > 0 and not cell.better]
    if vetoed or won + len(open_cells) < needed:
        return Verdict("not better", tuple(judged))
    seeds = sorted(_seeds_needed(each, level / len(cells)) for each in open_cells)
    return Verdict("undecided", tuple(judged), max(1, seeds[needed - won - 1] - len(gains[0])))


def _seeds_needed(gains: Sequence[float], level: float) -> int:
    """About how many seeds make the mean gain significant at a level, if it stays as it is."""
    spread = stdev(gains) if len(gains) > 1 else 0.0
    effect = fmean(gains) / spread if spread > 0 else 1e6
    return pairs_needed(effect, level)


def _gains(cell: PairedCell) -> list[float]:
    """The paired differences, in which a loss that is not finite is much worse than any other."""
    finite = [loss for loss in (*cell.losses, *cell.others) if isfinite(loss)]
    spread = max(finite) - min(finite) if finite else 0.0
    bound = max(finite, default=0.0) + FAILED_RANGES * (spread or 1.0)
    ours = [loss if isfinite(loss) else bound for loss in cell.losses]
    theirs = [loss if isfinite(loss) else bound for loss in cell.others]
    return [other - loss for loss, other in zip(ours, theirs, strict=True)]


def _deviation(losses: Sequence[float]) -> float:
    """The standard deviation between seeds of the finite losses; 0 for fewer than two."""
    finite = [loss for loss in losses if isfinite(loss)]
    return stdev(finite) if len(finite) > 1 else 0.0
