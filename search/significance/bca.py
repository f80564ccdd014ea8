"""The bias-corrected and accelerated bootstrap interval of a mean (Efron 1987)."""

from collections.abc import Sequence
from statistics import NormalDist

import numpy as np

RESAMPLES = 10_000

_NORMAL = NormalDist()


def bca_interval(values: Sequence[float], level: float = 0.95, resamples: int = RESAMPLES) -> tuple[float, float]:
    """Returns the BCa interval of the mean; the same values give the same interval.

    The percentiles of the bootstrap distribution are moved by its median bias, from the share of resampled means below
    the mean, and by its acceleration, from the skewness of the means without one value each.

    Args:
        values: at least one finite value. A single value, or equal values, are both ends.
        level: of confidence.
        resamples: number of means of as many values drawn with replacement.
    """
    sample = np.asarray(values, np.float64)
    if len(sample) < 2 or np.ptp(sample) == 0.0:
        return float(sample.mean()), float(sample.mean())
    rng = np.random.default_rng(len(sample))
    means = np.sort(sample[rng.integers(0, len(sample), (resamples, len(sample)))].mean(1))
    return interval_of(means, sample, level)


def interval_of(means: np.ndarray, sample: np.ndarray, level: float) -> tuple[float, float]:
    """Returns the BCa interval from a bootstrap distribution.

    Args:
        means: float64 `[resamples]`, ascending.
        sample: float64 `[n]`, the values that were resampled.
        level: of confidence.
    """
    mean = sample.mean()
    # A mean that equals the sample's counts half, so that the median of a symmetric distribution has no bias.
    below = np.searchsorted(means, mean, side="left") + np.searchsorted(means, mean, side="right")
    share = min(max(below / (2 * len(means)), 0.5 / len(means)), 1 - 0.5 / len(means))
    bias = _NORMAL.inv_cdf(share)
    without = (sample.sum() - sample) / (len(sample) - 1)
    distance = without.mean() - without
    spread = float((distance**2).sum()) ** 1.5
    acceleration = float((distance**3).sum()) / (6 * spread) if spread > 0 else 0.0
    ends = []
    for tail in ((1 - level) / 2, (1 + level) / 2):
        z = bias + _NORMAL.inv_cdf(tail)
        moved = _NORMAL.cdf(bias + z / (1 - acceleration * z))
        ends.append(float(np.quantile(means, min(max(moved, 0.0), 1.0))))
    return ends[0], ends[1]
