"""How many pairs a test needs to find an effect."""

from math import ceil
from statistics import NormalDist

from germline.search.significance.sign_flip import fewest_pairs

POWER = 0.8
"""The chance to find an effect of the assumed size."""


def pairs_needed(effect: float, level: float, power: float = POWER) -> int:
    """Returns about how many pairs a two-sided test needs.

    This is the sample size of the paired t-test in its normal approximation with Guenther's correction (1981); the
    sign-flip test has nearly the same power. It is at least the number that can reach the level at all.

    Args:
        effect: mean paired difference in standard deviations of the differences, not 0.
        level: at which the hypothesis of no effect is rejected.
        power: see `POWER`.
    """
    normal = NormalDist()
    z = normal.inv_cdf(1 - level / 2)
    pairs = ((z + normal.inv_cdf(power)) / abs(effect)) ** 2 + z**2 / 2
    return max(ceil(min(pairs, 1e9)), fewest_pairs(level))
